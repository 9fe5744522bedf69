"""Scores editors on a benchmark, case by case."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from editfoundry.editors.editor import Edit, Editor
from editfoundry.errors import BadInputError
from editfoundry.evaluation.cases import case_seed, sample_cases
from editfoundry.evaluation.clip_scores import ClipEncoder, caption_embeddings, clip_scores
from editfoundry.evaluation.editing import run_editor
from editfoundry.evaluation.preservation import preservation_mse, psnr
from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.outcome import Outcome, check_case, nearest_outcome


@dataclass(frozen=True, kw_only=True)
class ItemResult:
    """One editor's result on one case."""

    id: str
    category: str
    rule: str
    seed: int
    outcome: Outcome | None
    """What the edit is nearest to; None when the editor failed."""
    clip_score: float | None
    """Cosine in [-1, 1]; None when the editor failed."""
    preservation_mse: float | None
    """Squared steps of 255; None when the editor failed, or when the whole image truly changes."""
    failure: str | None = None
    """Why there is no edit."""
    detail: str = ""

    @property
    def correct(self) -> bool:
        """Whether the edit is right; an edit that failed is not."""
        return self.outcome == "truth"

    @property
    def preservation_psnr(self) -> float | None:
        """Decibels, uncapped: infinite when nothing outside the changing region was touched."""
        return None if self.preservation_mse is None else psnr(self.preservation_mse)

    def to_row(self) -> dict[str, Any]:
        """Return the item as valid JSON; an infinite PSNR is the text ``"inf"``."""
        decibels = self.preservation_psnr
        return {
            "id": self.id,
            "category": self.category,
            "rule": self.rule,
            "seed": self.seed,
            "correct": self.correct,
            "outcome": self.outcome,
            "clip_score": self.clip_score,
            "preservation_mse": self.preservation_mse,
            "preservation_psnr": "inf" if decibels is not None and math.isinf(decibels) else decibels,
            "failure": self.failure,
            "detail": self.detail,
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class ShownCase:
    """One case with its edits, kept to be looked at."""

    case: EditCase
    edits: Mapping[str, Edit]
    """Editor's name -> what it made."""
    results: Mapping[str, ItemResult]


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """All results of one benchmark."""

    results: Mapping[str, tuple[ItemResult, ...]]
    """Editor's name -> one result for each case, in the benchmark's order."""
    shown: tuple[ShownCase, ...]
    """Cases drawn by seed, by category, with their images."""
    clip_name: str
    clip_references: Mapping[str, float]
    """CLIP score of doing nothing (``input``) and of the true outcome (``truth``), the means over all cases."""
    seed: int

    def failures(self, editor: str) -> dict[str, int]:
        """Return reason -> number of cases on which ``editor`` failed."""
        return dict(sorted(Counter(r.failure for r in self.results[editor] if r.failure).items()))


def evaluate_editors(
    editors: Mapping[str, Editor],
    cases: Sequence[EditCase],
    clip: ClipEncoder,
    *,
    seed: int = 0,
    batch_size: int = 16,
    num_shown_per_category: int = 4,
    progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Edit every case with every editor, from the same noise, and score what comes out.

    An editor that crashes on a case, or returns something unusable, gets that case recorded as failed: it counts as
    wrong in the outcome accuracy and has no CLIP score and no preservation.

    Args:
        editors: name -> editor; the lineage calls them ``base`` and ``fine_tuned``.
        cases: the benchmark.
        clip: scores how well an edit fits the output caption.
        seed: of the noise, and of the draw of the cases to show.
        batch_size: cases edited at once.
        num_shown_per_category: cases whose images are kept for the report.
        progress: called with the number of edits just made.

    Raises:
        BadInputError: no editor, no case, two cases of one id, or a case that cannot be answered rightly.
    """
    _check_benchmark(editors, cases)
    to_show = {c.id: i for i, c in enumerate(sample_cases(cases, num_shown_per_category, seed))}
    results: dict[str, list[ItemResult]] = {name: [] for name in editors}
    references: dict[str, list[float]] = {"input": [], "truth": []}
    shown: list[ShownCase] = []
    for start in range(0, len(cases), batch_size):
        batch = cases[start : start + batch_size]
        captions = caption_embeddings(clip, [c.output_caption for c in batch])
        references["input"] += clip_scores(clip, [c.input_image for c in batch], captions)
        references["truth"] += clip_scores(clip, [c.true_output for c in batch], captions)
        edits: dict[str, list[Edit]] = {}
        for name, editor in editors.items():
            edits[name] = run_editor(editor, batch, [case_seed(c, seed) for c in batch])
            results[name] += _score(batch, edits[name], captions, clip, seed)
            if progress is not None:
                progress(len(batch))
        for i, case in enumerate(batch):
            if case.id in to_show:
                by_name = {name: made[i] for name, made in edits.items()}
                shown.append(ShownCase(case=case, edits=by_name, results={n: results[n][start + i] for n in editors}))
    return Evaluation(
        results={name: tuple(items) for name, items in results.items()},
        shown=tuple(sorted(shown, key=lambda s: to_show[s.case.id])),
        clip_name=clip.name,
        clip_references={name: float(np.mean(scores)) for name, scores in references.items()},
        seed=seed,
    )


def _check_benchmark(editors: Mapping[str, Editor], cases: Sequence[EditCase]) -> None:
    if not editors:
        raise BadInputError("there is no editor to evaluate: name at least one")
    if not cases:
        raise BadInputError("the benchmark has no cases: ask for at least one")
    twice = [i for i, count in Counter(c.id for c in cases).items() if count > 1]
    if twice:
        raise BadInputError(f"{len(twice)} case ids occur more than once, the first is {twice[0]}: make them unique")
    for case in cases:
        check_case(case)


def _score(
    cases: Sequence[EditCase], edits: Sequence[Edit], captions: np.ndarray, clip: ClipEncoder, seed: int
) -> list[ItemResult]:
    pictures = [None if edit.image is None else np.asarray(edit.image) for edit in edits]
    made = [i for i, picture in enumerate(pictures) if picture is not None]
    images = [picture for picture in pictures if picture is not None]
    scores = dict(zip(made, clip_scores(clip, images, captions[made]), strict=True))
    return [
        ItemResult(
            id=case.id,
            category=case.category,
            rule=case.rule,
            seed=case_seed(case, seed),
            outcome=None if picture is None else nearest_outcome(picture, case),
            clip_score=scores.get(i),
            preservation_mse=None if picture is None else preservation_mse(picture, case),
            failure=edit.failure,
            detail=edit.detail,
        )
        for i, (case, edit, picture) in enumerate(zip(cases, edits, pictures, strict=True))
    ]
