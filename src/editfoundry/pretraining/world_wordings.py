"""Further wordings of the world's rules, beside tinyworld's: what a large model knows of words, a small one must be
told.

They were written from the rules' own wordings alone, without a look at the held-out ones, of which none is among them.
"""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path

_FILE = Path(__file__).with_suffix(".toml")


def further_wordings(rule: str) -> tuple[str, ...]:
    """Return further instructions that set a rule off; ``rule`` is a trained one's name."""
    return _all_of_them()[rule]


@lru_cache(maxsize=1)
def _all_of_them() -> dict[str, tuple[str, ...]]:
    return {name: tuple(wordings) for name, wordings in tomllib.loads(_FILE.read_text(encoding="utf-8")).items()}
