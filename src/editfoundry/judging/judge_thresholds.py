"""Keeps triplets that the judge finds plausible (EditWorld, section 3.1, its last step)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from editfoundry.data.bounds import check_between
from editfoundry.errors import Rejection
from editfoundry.profiles import Profile, check_settings

PREFIX = "judge_"
"""Before a question's name in a triplet's scores."""
CAPTION_PREFIX = PREFIX + "caption_"
"""Before the name of one of `captions.CaptionScores`."""


@dataclass(frozen=True, kw_only=True)
class JudgeThresholds:
    """Lowest scores that are kept."""

    semantic_alignment: float = 3.0
    """1 to 5: is the outcome what the instruction makes of the input?"""
    identity_consistency: float = 3.0
    """1 to 5: is everything else as it was?"""
    image_quality: float = 3.0
    """1 to 5: is the output sharp and clean?"""
    success: float = 0.5
    """Probability of a yes to the paper's one-bit question."""
    caption_fit: float | None = None
    """In nats, see `captions.CaptionScores`; by default not looked at."""
    caption_contrast: float | None = None
    """In nats, likewise."""

    def __post_init__(self) -> None:
        check_between(self, 0, 5, "semantic_alignment", "identity_consistency", "image_quality")
        check_between(self, 0, 1, "success")

    @classmethod
    def of_profile(cls, profile: Profile) -> JudgeThresholds:
        """Return the thresholds that suit a profile's judge.

        Raises:
            BadInputError: a name of the profile's table ``judge`` is unknown, or its value is no number.
        """
        known = {threshold.name: threshold.default for threshold in fields(cls)}
        check_settings("judge", profile.judge, known, noun="threshold", where=f"profile {profile.name!r}: ")
        return cls(**{name: float(value) for name, value in profile.judge.items()})


def check_judge(scores: Mapping[str, float], thresholds: JudgeThresholds) -> None:
    """Raise Rejection when one of the scores ``judge_*`` is missing or below its threshold."""
    for question, lowest in vars(thresholds).items():
        name = PREFIX + question
        if lowest is None:
            continue
        if name not in scores:
            raise Rejection("no score", name)
        if not scores[name] >= lowest:
            raise Rejection(f"low {name}", f"{scores[name]} < {lowest}")
