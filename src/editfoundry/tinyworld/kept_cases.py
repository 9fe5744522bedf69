"""Cases of benchmarks are drawn once in a process."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Concatenate, ParamSpec, TypeVar

from editfoundry.tinyworld.scene import IMAGE_SIZE

NUM_KEPT_CASES = 512
"""Of each benchmark. A case takes up to a second to draw, and 1 MB at most."""

_Asked = ParamSpec("_Asked")
_Drawn = TypeVar("_Drawn")


def kept_at_world_size(
    draw: Callable[Concatenate[int, _Asked], _Drawn],
) -> Callable[Concatenate[int, _Asked], _Drawn]:
    """Let a function draw what it is asked for once; its first argument is the pictures' side in pixels.

    Larger pictures than tinyworld's own are drawn anew each time: a case of 512 pixels has tens of MB.
    """
    kept = lru_cache(NUM_KEPT_CASES)(draw)

    @wraps(draw)
    def drawn(side: int, *asked: _Asked.args, **named: _Asked.kwargs) -> _Drawn:
        return kept(side, *asked, **named) if side == IMAGE_SIZE else draw(side, *asked, **named)  # type: ignore[arg-type]

    return drawn
