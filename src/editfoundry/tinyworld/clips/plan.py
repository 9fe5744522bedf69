"""What a clip shows, before anything is drawn: takes, actions, camera, blur and fades."""

from __future__ import annotations

from dataclasses import dataclass, replace

from editfoundry.tinyworld.clips.camera import Camera
from editfoundry.tinyworld.edits import Edit
from editfoundry.tinyworld.scene import Morph, Scene

START_AND_END_SHARE = 0.15
"""Share of an action within which its first moments still count as its start, and its last ones as its end."""


@dataclass(frozen=True, kw_only=True)
class Action:
    """A rule at work on one object."""

    edit: Edit
    start: float
    """Seconds from the beginning of the clip, as all times here."""
    end: float

    def progress(self, time: float) -> float:
        """Return how far the action has come, in [0, 1]; it sets in and dies down gently."""
        share = min(1.0, max(0.0, (time - self.start) / (self.end - self.start)))
        return share * share * (3 - 2 * share)

    @property
    def margin(self) -> float:
        """Seconds at either end that hardly change anything."""
        return START_AND_END_SHARE * (self.end - self.start)


@dataclass(frozen=True, kw_only=True)
class Take:
    """What is filmed without a cut."""

    scene: Scene
    start: float
    end: float
    actions: tuple[Action, ...] = ()
    """In the order of time, each done before the next one starts."""

    def look(self, time: float) -> tuple[Scene, Morph | None]:
        """Return the scene at ``time`` and the object that is changing just then."""
        scene = self.scene
        for action in self.actions:
            progress, index = action.progress(time), action.edit.index
            assert index is not None
            state = action.edit.after.objects[index].state
            if progress < 1:
                return scene, Morph(index=index, state=state, progress=progress) if progress > 0 else None
            scene = scene.with_object(index, state=state)
        return scene, None


@dataclass(frozen=True, kw_only=True)
class Blur:
    """A stretch of the clip that is out of focus."""

    start: float
    end: float
    sigma: float
    """Standard deviation, as a share of the picture's width."""


@dataclass(frozen=True, kw_only=True)
class ClipPlan:
    """One clip."""

    kind: str
    """One of ``kinds.KINDS``."""
    takes: tuple[Take, ...]
    camera: Camera
    blurs: tuple[Blur, ...] = ()
    fade_seconds: float = 0.0
    """Fade from black at the beginning and to black at the end."""
    dissolve_seconds: float = 0.0
    """Length of the cross-fade between takes; 0 cuts hard."""

    @property
    def seconds(self) -> float:
        """Length of the clip."""
        return self.takes[-1].end

    @property
    def caption(self) -> str:
        """What is there at first in the clip's longest take, as InternVid's captioner says it of a clip."""
        return max(self.takes, key=lambda take: take.end - take.start).scene.caption


def shifted(take: Take, seconds: float) -> Take:
    """Return the take that much later."""
    actions = tuple(replace(a, start=a.start + seconds, end=a.end + seconds) for a in take.actions)
    return replace(take, start=take.start + seconds, end=take.end + seconds, actions=actions)
