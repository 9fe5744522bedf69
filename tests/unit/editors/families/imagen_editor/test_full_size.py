"""The cascade of the paper's sides, built without memory."""

import torch

from editfoundry.editors.families.imagen_editor.full_size import full_size_cascade, parameter_counts


def test_its_sides_are_the_paper_s_and_its_numbers_about_imagen_s() -> None:
    with torch.device("meta"):
        pipeline = full_size_cascade()
    assert [stage.side for stage in pipeline.stages] == [64, 256, 1024]
    assert [stage.mask_encoder.config.num_halvings for stage in pipeline.stages] == [4, 2, 0]
    counts = parameter_counts(pipeline)
    for name, published in {"unet": 2.0e9, "unet_2": 0.6e9, "unet_3": 0.4e9, "text_encoder": 4.6e9}.items():
        assert 0.85 < counts[name] / published < 1.15, name


def test_each_stage_takes_what_the_cascade_hands_it() -> None:
    with torch.device("meta"):
        pipeline = full_size_cascade()
        # The text encoder's states, and the cascade's masked picture.
        embeds, seen = torch.zeros(1, 8, 4096), torch.zeros(1, 4, 1024, 1024)
        for stage in pipeline.stages:
            noisy = torch.zeros(1, 3, stage.side, stage.side)
            smaller, level = (noisy, torch.zeros(1)) if stage.enlarges else (None, None)
            assert stage(noisy, seen, smaller, torch.zeros(1), embeds, level).shape == noisy.shape
