"""The whole branch, optional steps and judge included, on Stable Diffusion and on SDXL."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_painter import tiny_quadruples

from editfoundry.errors import BadInputError, MissingModelError
from editfoundry.judging import Judgement
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import Profile
from editfoundry.synthesis.editworld_text.config import TextBranchConfig
from editfoundry.synthesis.editworld_text.models import load_branch, roles_of
from editfoundry.synthesis.editworld_text.steps import encode_batch, inpaint_outputs, paint_inputs, refine_outputs
from editfoundry.synthesis.editworld_text.triplets import make_triplets

WHOLE = TextBranchConfig(
    num_input_candidates=2, num_source_candidates=2, num_output_candidates=2, num_refined_candidates=3,
    num_img2img_candidates=2, output_score="editworld", num_inference_steps=2, records_per_batch=2,
    attention_resolution=8, judge=True, num_judged_candidates=2,
)  # fmt: skip
UNJUDGED = replace(WHOLE, judge=False)
STEPS = {
    "input": ["clip"],
    "source": ["clip"],
    "output": ["clip", "clip_image", "structure", "score"],
    "refined": ["clip", "clip_image", "score"],
    "img2img": ["clip", "clip_image", "score"],
}


def darker_is_better(pairs):
    """A judge that prefers the darker picture."""
    means = [float(np.asarray(pair.output_image).mean()) for pair in pairs]
    rest = {"identity_consistency": 3.0, "image_quality": 3.0, "success": 1.0, "reasons": {"success": "dark"}}
    return [Judgement(semantic_alignment=5 - mean / 64, **rest) for mean in means]


@pytest.fixture(scope="module")
def branch(branch_profile):
    return replace(load_branch(branch_profile, choose_runtime("cpu"), UNJUDGED), judge=darker_is_better)


@pytest.fixture(scope="module")
def triplets(branch):
    return list(make_triplets(branch, tiny_quadruples(3), WHOLE, []))


def test_every_step_records_the_scores_of_all_candidates_and_its_choice(triplets):
    counts = {step: getattr(WHOLE, f"num_{step}_candidates") for step in STEPS}
    for triplet in triplets:
        for step, names in STEPS.items():
            scores = {name: triplet.provenance[f"{step}_candidates_{name}"] for name in names}
            assert {len(values) for values in scores.values()} == {counts[step]}
            if step != "img2img":
                # The judge chooses at the last step.
                assert triplet.provenance[f"{step}_choice"] == int(np.argmax(scores[names[-1]]))


def test_scores_are_those_that_the_released_code_adds_up(triplets):
    for triplet in triplets:
        table = {k: np.array(v) for k, v in triplet.provenance.items() if "_candidates_" in k and "judge" not in k}
        parts = sum(table[f"output_candidates_{name}"] for name in ("clip", "clip_image", "structure"))
        assert table["output_candidates_score"] == pytest.approx(parts, abs=2e-4)
        for step in ("refined", "img2img"):
            weighted = table[f"{step}_candidates_clip_image"] + 4 * table[f"{step}_candidates_clip"]
            assert table[f"{step}_candidates_score"] == pytest.approx(weighted, abs=4e-4)


def test_the_judge_compares_the_best_finished_candidates_and_the_best_of_them_is_kept(branch):
    seen = []

    def judge(pairs):
        seen.append(pairs)
        return darker_is_better(pairs)

    (triplet,) = make_triplets(replace(branch, judge=judge), tiny_quadruples(1), WHOLE, [])
    (pairs,) = seen
    assert [pair.instruction for pair in pairs] == ["melt cat"] * 2
    brightness = [np.asarray(pair.output_image).mean() for pair in pairs]
    assert np.asarray(triplet.output_image).mean() == min(brightness)
    provenance = triplet.provenance
    totals = [provenance["img2img_candidates_score"][column] for column in provenance["judge_candidates"]]
    assert totals == sorted(totals, reverse=True)
    assert provenance["img2img_choice"] == provenance["judge_candidates"][int(np.argmin(brightness))]
    assert provenance["judge_reasons"] == {"success": "dark"} and triplet.scores["judge_image_quality"] == 3
    assert triplet.scores["judge_score"] == pytest.approx(max(provenance["judge_candidates_score"]))


def test_all_candidates_of_a_batch_are_judged_in_one_call(branch):
    sizes = []

    def judge(pairs):
        sizes.append(len(pairs))
        return darker_is_better(pairs)

    list(make_triplets(replace(branch, judge=judge), tiny_quadruples(3), WHOLE, []))
    assert sizes == [4, 2]


def test_every_candidate_of_a_step_is_another_picture(branch):
    batch = encode_batch(branch, tiny_quadruples(1), UNJUDGED)
    painted, masks = paint_inputs(branch, batch)
    outputs = inpaint_outputs(branch, batch, painted.chosen(), masks)
    refined = refine_outputs(branch, batch, painted.chosen(), outputs.chosen())
    for candidates in (painted, outputs, refined):
        images = [image.tobytes() for image in candidates.pictures.images]
        assert len(set(images)) == len(images) == candidates.total.shape[1]


def test_a_records_triplet_does_not_depend_on_its_batch(branch):
    together = list(make_triplets(branch, tiny_quadruples(2), UNJUDGED, []))
    apart = list(make_triplets(branch, tiny_quadruples(2), replace(UNJUDGED, records_per_batch=1), []))
    for one, other in zip(together, apart, strict=True):
        difference = np.asarray(one.output_image, int) - np.asarray(other.output_image, int)
        assert np.abs(difference).max() <= 2


def test_without_a_mask_the_whole_picture_may_change_and_no_attention_is_collected(branch):
    config = replace(UNJUDGED, use_mask=False, attention_resolution=5)
    (triplet,) = make_triplets(branch, tiny_quadruples(1), config, [])
    assert triplet.scores["mask_share"] == 1 and (np.asarray(triplet.mask) == 255).all()


def test_a_step_whose_count_is_zero_is_left_out(branch):
    config = replace(UNJUDGED, num_source_candidates=0, num_refined_candidates=0, num_img2img_candidates=0)
    (triplet,) = make_triplets(branch, tiny_quadruples(1), config, [])
    assert {k.removesuffix("_choice") for k in triplet.provenance if k.endswith("_choice")} == {"input", "output"}
    assert not any(name.startswith("judge") for name in triplet.scores)


def test_only_the_roles_that_the_configuration_needs_are_loaded(branch_profile):
    assert roles_of(TextBranchConfig()) == ("text_to_image", "clip")
    assert roles_of(WHOLE)[2:] == ("controlnet_canny", "ip_adapter", "vision_language_model")
    few = Profile(name="few", models={role: branch_profile.models[role] for role in ("text_to_image", "clip")})
    loaded = load_branch(few, choose_runtime("cpu"), TextBranchConfig())
    assert (loaded.controlnet, loaded.ip_adapter, loaded.judge) == (None, None, None)
    with pytest.raises(MissingModelError, match="no model for the role 'controlnet_canny'"):
        load_branch(few, choose_runtime("cpu"), TextBranchConfig(num_refined_candidates=1))


def test_refinement_has_its_own_parameters_in_memory_once(branch):
    assert branch.ip_adapter.unet is branch.painter.unet
    names = [name for name, _ in branch.painter.unet.named_parameters()]
    assert not any("to_k_ip" in name or "encoder_hid_proj" in name for name in names)


def test_the_empty_prompt_is_encoded_once_for_all_batches_and_steps(branch):
    texts, painter = [], branch.painter
    fresh = replace(branch)
    hook = painter.text_encoder.register_forward_pre_hook(lambda _, args: texts.append(len(args[0])))
    list(make_triplets(fresh, tiny_quadruples(3), UNJUDGED, []))
    hook.remove()
    empty = 0 if hasattr(painter, "text_encoder_2") and torch.any(fresh.empty_prompt.prompt_embeds) else 1
    # Two batches, input and output captions each, and the empty prompt.
    assert len(texts) == 4 + empty


@pytest.mark.parametrize(
    "setting",
    [
        {"num_refined_candidates": -1}, {"img2img_strength": 0.0}, {"img2img_strength": 1.5}, {"output_score": "best"},
        {"canny_high_threshold": 50}, {"ip_adapter_scale": -1.0}, {"num_judged_candidates": 0},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_named(setting):
    with pytest.raises(BadInputError, match=next(iter(setting))):
        TextBranchConfig(**setting)
