"""Which arms a profile can run, and what each leaves out."""

from dataclasses import asdict, replace

import pytest

from editfoundry.judging.judge_thresholds import JudgeThresholds
from editfoundry.lineage.params import Params
from editfoundry.pretraining.ablation.arms import plan_arms
from editfoundry.profiles import ModelReference, Profile
from editfoundry.synthesis.editworld_text.config import TextBranchConfig

ROLES = ("text_to_image", "clip", "controlnet_canny", "ip_adapter", "vision_language_model")
PARAMS = Params(
    editworld_text=TextBranchConfig(num_input_candidates=2, num_output_candidates=3, num_img2img_candidates=4)
)


def profile(*roles: str) -> Profile:
    return Profile(name="some", models={role: ModelReference(role=role, source=f"hub/{role}") for role in roles})


def test_each_arm_differs_from_the_whole_branch_in_what_its_title_says():
    arms, left_out = plan_arms(PARAMS, profile(*ROLES))
    full = asdict(arms[0].config)
    changes = {
        arm.name: {k: v for k, v in asdict(arm.config).items() if v != full[k]} for arm in arms if arm.name != "full"
    }
    assert (full["use_mask"], full["judge"], full["num_refined_candidates"] > 0, left_out) == (True, True, True, {})
    assert changes == {
        "without-mask": {"use_mask": False},
        "without-refinement": {"num_refined_candidates": 0},
        "without-judge": {"judge": False},
        "n-1": {f"num_{step}_candidates": 1 for step in ("input", "output", "refined", "img2img")},
        "n-10": {"num_output_candidates": 10},
    }


def test_what_is_kept_is_the_same_but_for_the_judge():
    arms, _ = plan_arms(PARAMS, profile(*ROLES))
    assert {arm.name for arm in arms if arm.judge is None} == {"without-judge"}
    assert {arm.judge for arm in arms} == {None, JudgeThresholds()}
    strict = JudgeThresholds(success=0.9)
    chosen = replace(PARAMS, dataset=replace(PARAMS.dataset, judge=strict))
    assert plan_arms(chosen, profile(*ROLES))[0][0].judge == strict


@pytest.mark.parametrize(
    ("absent", "arm"),
    [("controlnet_canny", "without-refinement"), ("ip_adapter", "without-refinement"),
     ("vision_language_model", "without-judge")],
)  # fmt: skip
def test_an_arm_that_the_profile_cannot_run_is_left_out_with_its_reason(absent, arm):
    arms, left_out = plan_arms(PARAMS, profile(*(role for role in ROLES if role != absent)))
    assert arm not in {a.name for a in arms}
    assert absent in left_out[arm] and "names no model" in left_out[arm]
    assert not any(a.config.judge for a in arms) or absent != "vision_language_model"


def test_a_folder_that_is_not_there_counts_as_no_model():
    some = profile(*ROLES)
    some.models["ip_adapter"] = ModelReference(role="ip_adapter", source="/nowhere/adapter")
    arms, left_out = plan_arms(PARAMS, some)
    assert "not on this machine" in left_out["without-refinement"]
    assert all(arm.config.num_refined_candidates == 0 for arm in arms)
