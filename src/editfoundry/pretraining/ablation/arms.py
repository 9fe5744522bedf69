"""The arms of the ablation: the whole branch, and what each of the others leaves out or has more of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from editfoundry.judging.judge_thresholds import JudgeThresholds
from editfoundry.lineage.params import Params
from editfoundry.profiles import Profile
from editfoundry.synthesis.editworld_text.config import TextBranchConfig

NUM_REFINED_CANDIDATES = 2
"""Of the whole branch, where the parameters leave refinement out."""
NUM_OF_MANY = 10
"""Inpaintings of each picture in EditWorld's released code."""
_COUNTS = ("input", "source", "output", "refined", "img2img")
_REFINEMENT, _JUDGE = ("controlnet_canny", "ip_adapter"), ("vision_language_model",)


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to make triplets and to choose among them."""

    name: str
    """Of its folder."""
    title: str
    config: TextBranchConfig
    judge: JudgeThresholds | None
    """Lowest scores of the judge that are kept; None where nothing is judged."""


def plan_arms(params: Params, profile: Profile) -> tuple[list[Arm], dict[str, str]]:
    """Return the arms that the profile can run, the whole branch first, and why each other one is left out.

    The whole branch is what the parameters say with mask, refinement and judge switched on, as far as the profile has
    models for them.
    """
    no_refinement, no_judge = _missing(profile, _REFINEMENT), _missing(profile, _JUDGE)
    thresholds = None if no_judge else params.dataset.judge or JudgeThresholds.of_profile(profile)
    config = params.editworld_text
    full = Arm(
        name="full",
        title="Full branch",
        judge=thresholds,
        config=replace(
            config,
            use_mask=True,
            judge=not no_judge,
            num_refined_candidates=0 if no_refinement else config.num_refined_candidates or NUM_REFINED_CANDIDATES,
        ),
    )
    arms, left_out = [full, _changed(full, "without-mask", "Without mask", use_mask=False)], {}
    if no_refinement:
        left_out["without-refinement"] = no_refinement
    else:
        arms.append(_changed(full, "without-refinement", "Without refinement", num_refined_candidates=0))
    if no_judge:
        left_out["without-judge"] = no_judge
    else:
        arms.append(replace(_changed(full, "without-judge", "Without judge", judge=False), judge=None))
    singles = {name: min(1, getattr(full.config, name)) for name in (f"num_{step}_candidates" for step in _COUNTS)}
    arms.append(_changed(full, "n-1", "N = 1", **singles))
    arms.append(_changed(full, "n-10", f"N = {NUM_OF_MANY}", num_output_candidates=NUM_OF_MANY))
    return arms, left_out


def _changed(arm: Arm, name: str, title: str, **changes: int | bool) -> Arm:
    # mypy cannot tell which field a name stands for.
    return replace(arm, name=name, title=title, config=replace(arm.config, **changes))  # type: ignore[arg-type]


def _missing(profile: Profile, roles: tuple[str, ...]) -> str:
    """Return why the profile cannot play one of ``roles``; empty when it can play all."""
    for role in roles:
        if role not in profile.models:
            return f"profile {profile.name!r} names no model for the role {role!r}"
        reference = profile.models[role]
        if reference.is_local and not Path(reference.location).is_dir():
            return f"role {role!r}: model {reference} is not on this machine"
    return ""
