"""A few edits of the arms that a claim compares, kept beside the ledger and shown in its row."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from editfoundry.evaluation.reports.inlined_pictures import ShownItem, ShownPicture, inlined_picture, picture_path
from editfoundry.evaluation.reports.run_results import Run
from editfoundry.evaluation.reports.shown_samples import draw_items, first_of_each_row

NUM_SHOWN = 4
"""Items of a claim whose edits are shown."""
PICTURES = "pictures"
"""Folder beside the ledger."""


def keep_pictures(output: Path, claim: str, arms: Sequence[Run], seed: int) -> list[dict[str, Any]]:
    """Copy a few items' inputs, edits and truths beside the ledger and return what its row says of them.

    Args:
        output: the ledger's folder.
        claim: its name.
        arms: runs of one editor each; those of another benchmark than the first are left out.
        seed: of the draw; no score and no picture has a say.

    Returns:
        ``[{"id", "row", "instruction", "images": [{"title", "file"}]}]``, files relative to ``output``; an edit that
        failed has no file.
    """
    folder = output / PICTURES / claim
    if folder.is_dir():
        shutil.rmtree(folder)
    shown = [arm for arm in arms if arm.name == arms[0].name]
    if not shown:
        return []
    rows = []
    for item in first_of_each_row(draw_items(shown[0], seed))[:NUM_SHOWN]:
        sources = [("Input", picture_path(shown[0].folder, "inputs", item.id))]
        for title, arm in zip(_titles(shown), shown, strict=True):
            [editor] = arm.editors
            sources.append((title, picture_path(arm.folder, "edits", item.id, editor)))
        sources.append(("Truth", picture_path(shown[0].folder, "truths", item.id)))
        images = [
            {"title": title, "file": _kept(source, folder / f"{item.id}-{place}.png", output)}
            for place, (title, source) in enumerate(sources)
        ]
        rows.append({"id": item.id, "row": item.row, "instruction": item.instruction, "images": images})
    return rows


def shown_items(output: Path, row: Mapping[str, Any]) -> list[ShownItem]:
    """Return the figures of a ledger's row."""
    return [
        ShownItem(
            id=kept["id"],
            anchor=f"{row['name']}-{kept['id']}",
            row=kept["row"],
            instruction=kept["instruction"],
            images=[
                ShownPicture(
                    title=image["title"],
                    uri=inlined_picture(output / image["file"]) if image["file"] else None,
                    nothing="no picture",
                )
                for image in kept["images"]
            ],
        )
        for kept in row.get(PICTURES) or ()
    ]


def _titles(arms: Sequence[Run]) -> list[str]:
    """Return each arm's editor, with the settings in which it differs from its namesakes."""
    named = [next(iter(arm.editors.items())) for arm in arms]
    counts = Counter(name for name, _ in named)
    titles = []
    for name, facts in named:
        alike = [other.get("settings") or {} for known, other in named if known == name]
        own = facts.get("settings") or {}
        apart = [f"{key} {value}" for key, value in own.items() if any(other.get(key) != value for other in alike)]
        titles.append(", ".join([name, *apart]) if counts[name] > 1 else name)
    return titles


def _kept(source: Path, target: Path, output: Path) -> str | None:
    if not source.is_file():
        return None
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return target.relative_to(output).as_posix()
