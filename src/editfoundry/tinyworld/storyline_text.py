"""What happens between two scenes of tinyworld, as the embedded video-language model says it."""

from __future__ import annotations

from editfoundry.tinyworld.scene import Scene

NOTHING = "nothing"


def describe_storyline(before: Scene, after: Scene) -> str:
    """Return for example ``"a red apple on the left in a kitchen. Then a bitten red apple on the left."``.

    Args:
        before: what is there at first.
        after: the same objects at the same places, at most one of them in another state.
    """
    pairs = zip(before.objects, after.objects, strict=True)
    changed = next((new.placed_phrase for old, new in pairs if old.state != new.state), NOTHING)
    return f"{before.caption}. Then {changed}."
