"""How frame pairs are chosen; light to import, since parameters are read everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from editfoundry.data.bounds import check_at_least, check_between
from editfoundry.errors import BadInputError


@dataclass(frozen=True, kw_only=True)
class FramePairConfig:
    """How the first and the last frame of a clip's storyline are found.

    Shares are of the picture's pixels. Changes are measured on small pictures after undoing the camera's motion and
    the exposure's drift.
    """

    analysis_fps: float = 5.0
    """Frames a second that are looked at; every frame is decoded."""
    max_held_frames: int = 20
    """Decoded frames of a shot that are kept to choose from, spread over it, of each stretch the sharpest."""
    max_held_megabytes: int = 128
    """What those may take together; frames too large for it are kept in smaller numbers, but never fewer than four."""
    min_hold_seconds: float = 0.3
    """Time between two frames that are kept."""
    min_seconds: float = 0.5
    """Time between the two frames of a pair."""
    min_shot_seconds: float = 0.5
    """A shorter shot is no more than a flash between cuts."""
    min_change: float = 0.008
    """Share that must change from the first to the last frame."""
    max_change: float = 0.6
    """Share that may change; where more does, it is another place."""
    min_overlap: float = 0.5
    """Share of the first frame's field of view that the last frame must still show."""
    cut_change: float = 0.5
    """Share that changes at once, or within ``dissolve_seconds``, at a cut."""
    suspicious_change: float = 0.2
    """Share that changes at a cut too, where besides it is spread over the picture and nothing can be followed."""
    max_lost_tracks: float = 0.6
    """Share of the points followed from frame to frame that may get lost before it is suspicious."""
    scene_spread: float = 0.4
    """Share of a picture's tiles that change where a scene gives way to another, and not where a thing changes."""
    dissolve_seconds: float = 1.0
    """Longest cross-fade that is told from an action."""
    min_sharpness: float = 0.02
    """Variance of the Laplacian over variance, at 320 pixels' width; below it, everything is blurred."""
    min_relative_sharpness: float = 0.25
    """Of the sharpest frames of the same shot."""
    min_camera_motion: float = 0.01
    """Way that the camera must move, as a share of the picture's width, for a clip to show only that."""
    rest_seconds: float = 0.5
    """A rest so long parts two actions, of which a pair shows one; 0 lets a pair span any number of actions."""
    num_candidates: int = 4
    """Pairs of a clip whose identity is compared."""
    min_clip_similarity: float = 0.3
    """CLIP similarity of the two frames."""
    min_dino_similarity: float = 0.3
    """DINO similarity of the two frames, where the profile has the role ``dino``."""
    max_image_side: int | None = None
    """Pixels of the longer side that pairs are scaled down to; by default they are stored as they are."""
    decoding_threads: int = 0
    """Threads of the decoder; 0 takes as many as there are cores."""

    def __post_init__(self) -> None:
        positive = (
            "analysis_fps",
            "min_hold_seconds",
            "min_seconds",
            "min_shot_seconds",
            "dissolve_seconds",
            "num_candidates",
            "max_held_megabytes",
        )
        for name in positive:
            if getattr(self, name) <= 0:
                raise BadInputError(f"{name} is {getattr(self, name)}; it must be above 0")
        shares = (
            "min_change",
            "max_change",
            "min_overlap",
            "cut_change",
            "suspicious_change",
            "max_lost_tracks",
            "scene_spread",
            "min_relative_sharpness",
        )
        check_between(self, 0, 1, *shares)
        if self.min_change > self.max_change:
            raise BadInputError(f"min_change is {self.min_change}; it must be at most max_change, {self.max_change}")
        check_between(self, -1, 1, "min_clip_similarity", "min_dino_similarity")
        check_at_least(self, 0, "min_sharpness", "min_camera_motion", "rest_seconds", "decoding_threads")
        check_at_least(self, 1, "max_image_side")
        check_at_least(self, 4, "max_held_frames")
