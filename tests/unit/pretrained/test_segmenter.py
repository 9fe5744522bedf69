import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import tiny_image
from tiny_sam import tiny_sam_config
from transformers import SamModel

from editfoundry.errors import BadInputError, MissingModelError
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.segmenter import Segmenter, build_sam, load_segmenter, save_sam
from editfoundry.profiles import ModelReference, Profile

RUNTIME = choose_runtime("cpu")


def profile_of(folder: Path) -> Profile:
    return Profile(name="tiny", models={"segmenter": ModelReference(role="segmenter", source=str(folder))})


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> tuple[SamModel, Path]:
    """A SAM as transformers publishes it, every weight random."""
    torch.manual_seed(0)
    model = SamModel(tiny_sam_config()).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    folder = tmp_path_factory.mktemp("sam")
    model.save_pretrained(folder)
    return model, folder


def test_segment_anything_gives_the_masks_that_transformers_gives(theirs: tuple[SamModel, Path]) -> None:
    model, folder = theirs
    sam = load_segmenter(profile_of(folder), RUNTIME).model
    pixels, points = torch.randn(1, 3, 32, 32), torch.tensor([[[[5.0, 20.0]], [[30.0, 1.0]]]])
    with torch.no_grad():
        expected = model(pixel_values=pixels, input_points=points, multimask_output=True)
        sparse, dense = sam.prompt_encoder((points[0], torch.ones(2, 1)), None, None)
        masks, qualities = sam.mask_decoder(
            image_embeddings=sam.image_encoder(pixels),
            image_pe=sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=True,
        )
    torch.testing.assert_close(masks, expected.pred_masks[0], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(qualities, expected.iou_scores[0], rtol=1e-3, atol=1e-4)


def test_what_is_saved_opens_in_both_libraries(theirs: tuple[SamModel, Path], tmp_path: Path) -> None:
    config = tiny_sam_config()
    sam = build_sam(config).eval()
    save_sam(sam, config, tmp_path)
    again = load_segmenter(profile_of(tmp_path), RUNTIME).model
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in sam.state_dict().items())
    opened, info = SamModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    torch.testing.assert_close(opened.vision_encoder.pos_embed, sam.image_encoder.pos_embed)


def test_each_point_gets_three_masks_of_the_images_size(theirs: tuple[SamModel, Path]) -> None:
    segmenter = load_segmenter(profile_of(theirs[1]), RUNTIME)
    image, points = tiny_image(0, (40, 24)), [(3.0, 4.0), (39.0, 23.0)]
    masks, qualities = segmenter.masks_at(image, points)
    assert (masks.shape, masks.dtype, qualities.shape) == ((2, 3, 24, 40), np.dtype(bool), (2, 3))
    alone, _ = segmenter.masks_at(image, points[1:])
    assert np.array_equal(alone[0], masks[1])
    assert segmenter.masks_at(image, [])[0].shape == (0, 3, 24, 40)


@pytest.mark.parametrize("size", [(3000, 2), (1, 700)])
def test_a_picture_that_is_much_longer_than_wide_gets_masks_of_its_size(
    theirs: tuple[SamModel, Path], size: tuple[int, int]
) -> None:
    segmenter = load_segmenter(profile_of(theirs[1]), RUNTIME)
    masks, _ = segmenter.masks_at(tiny_image(0, size), [(0.5, 0.5)])
    assert masks.shape == (1, 3, *reversed(size))


def test_an_image_is_encoded_once_for_all_its_points(theirs: tuple[SamModel, Path]) -> None:
    segmenter, calls = load_segmenter(profile_of(theirs[1]), RUNTIME), []
    segmenter.model.image_encoder.register_forward_hook(lambda *_: calls.append(1))
    segmenter.masks_at(tiny_image(0), [(float(i % 32), float(i // 32)) for i in range(130)])
    assert calls == [1]


def test_a_missing_or_foreign_model_is_named(theirs: tuple[SamModel, Path], tmp_path: Path) -> None:
    with pytest.raises(MissingModelError, match="role 'segmenter'"):
        load_segmenter(profile_of(tmp_path / "nowhere"), RUNTIME)
    (tmp_path / "config.json").write_text(json.dumps(json.loads((theirs[1] / "config.json").read_text())))
    tensors = load_file(theirs[1] / "model.safetensors")
    tensors.pop("vision_encoder.pos_embed")
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(BadInputError, match="is no SAM: it has no weight vision_encoder.pos_embed"):
        load_segmenter(profile_of(tmp_path), RUNTIME)


def test_the_outline_in_a_box_lies_within_it_and_the_picture_is_encoded_once(
    theirs: tuple[SamModel, Path],
) -> None:
    segmenter, encoded = load_segmenter(profile_of(theirs[1]), RUNTIME), []
    segmenter.model.image_encoder.register_forward_hook(lambda *_: encoded.append(1))
    boxes = [(4.0, 6.0, 20.0, 18.0), (20.0, 20.0, 32.0, 32.0)]
    outlines = segmenter.outlines_in(tiny_image(0), boxes)
    assert len(encoded) == 1 and len(outlines) == 2 and segmenter.outlines_in(tiny_image(0), []) == []
    for (mask, fit), (x0, y0, x1, y1) in zip(outlines, boxes, strict=True):
        rows, columns = np.nonzero(mask)
        assert mask.shape == (32, 32) and 0 <= fit <= 1
        if mask.any():
            assert columns.min() >= x0 - 3 and columns.max() < x1 + 3 and rows.min() >= y0 - 3 and rows.max() < y1 + 3


def test_of_several_masks_the_one_whose_box_is_most_like_the_given_one_is_the_outline(
    theirs: tuple[SamModel, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    masks = np.zeros((9, 3, 32, 32), dtype=bool)
    masks[2, 1, 5:19, 4:20] = True
    masks[3, 0] = masks[4, 2, 8:10, 8:10] = True
    monkeypatch.setattr(Segmenter, "masks_at", lambda *_: (masks, np.zeros((9, 3))))
    [(outline, fit)] = load_segmenter(profile_of(theirs[1]), RUNTIME).outlines_in(tiny_image(0), [(4, 6, 20, 18)])
    assert np.array_equal(outline, masks[2, 1]) and fit == pytest.approx(16 * 12 / (16 * 14))
