"""How true the instructions are that a language model writes for captions of scenes that training never showed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from editfoundry.data.record import Caption
from editfoundry.data.tables import read_rows, write_rows
from editfoundry.profiles import Profile
from editfoundry.synthesis.instructions.config import InstructionConfig
from editfoundry.synthesis.instructions.instruction_rows import InstructionRow
from editfoundry.synthesis.instructions.stage import write_instructions
from editfoundry.tinyworld.plain_truth import plain_edit_kind
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene


def measure_instructions(profile: Profile, config: InstructionConfig, num: int, device: str = "auto") -> dict[str, Any]:
    """Return shares of held-out captions with a valid and true answer when asked once, and of what the stage writes.

    An answer is valid where the stage would keep it, and true where its instruction is a plain edit which makes its
    caption of the one that was asked about; see `tinyworld.plain_truth`.

    Args:
        profile: names the model that writes.
        config: how it is asked.
        num: captions of scenes of the test split, all different.
        device: ``auto``, ``cpu``, ``cuda``.

    Raises:
        UnavailableError: an endpoint did not answer for now.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        captions = held_out_captions(num)
        write_rows(folder / "captions" / "00000.parquet", captions, Caption)
        once = _written(folder / "once", folder / "captions", replace(config, max_attempts=1), profile, device)
        written = _written(folder / "written", folder / "captions", config, profile, device)
    kinds = Counter(kind for row in once if (kind := _kind(row)) is not None)
    return {
        "answers_valid_and_true": kinds.total() / num,
        "answers_valid": len(once) / num,
        "written_true": sum(_kind(row) is not None for row in written) / max(1, len(written)),
        "captions_with_instruction": len(written) / num,
        "num_captions": num,
        "true_by_kind": dict(sorted(kinds.items())),
    }


def held_out_captions(num: int) -> list[Caption]:
    """Return captions of scenes of the test split, all different."""
    texts: dict[str, None] = {}
    number = 0
    while len(texts) < num:
        texts.setdefault(sample_scene(random_stream("measure instructions", number), "test").caption)
        number += 1
    return [Caption(caption=text) for text in texts]


def _written(
    output: Path, captions: Path, config: InstructionConfig, profile: Profile, device: str
) -> Sequence[InstructionRow]:
    write_instructions(captions, output, config, profile, device)
    return list(read_rows(output, InstructionRow))


def _kind(row: InstructionRow) -> str | None:
    return plain_edit_kind(row.input, row.edit, row.output)
