"""The judge's choice among finished candidates (EditWorld, text branch, step 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from editfoundry.synthesis.editworld_text.candidates import Candidates, Pictures
from editfoundry.synthesis.editworld_text.models import TextBranch
from editfoundry.synthesis.editworld_text.steps import QuadrupleBatch

if TYPE_CHECKING:
    from editfoundry.judging import Judgement


@dataclass(frozen=True)
class Verdict:
    """What the judge said of one record's candidates."""

    columns: list[int]
    """The candidates it saw, best first by their step's score."""
    judgements: list[Judgement]
    """One for each of ``columns``."""

    @property
    def place(self) -> int:
        """Which of ``columns`` is kept: the best by the judge, the step's own order deciding between equals."""
        scores = [judgement.score for judgement in self.judgements]
        return scores.index(max(scores))

    def scores(self) -> dict[str, float]:
        """Return the kept candidate's scores as a triplet records them."""
        kept = self.judgements[self.place]
        return {**kept.scores, "judge_score": round(float(kept.score), 4)}

    def provenance(self) -> dict[str, Any]:
        """Return what is recorded of all candidates, as plain values."""
        return {
            "judge_candidates": self.columns,
            "judge_candidates_score": [round(float(j.score), 4) for j in self.judgements],
            "judge_candidates_success": [round(float(j.success), 4) for j in self.judgements],
            "judge_reasons": dict(self.judgements[self.place].reasons),
            "judge_unparsed": dict(self.judgements[self.place].unparsed),
        }


def judge_finished(branch: TextBranch, batch: QuadrupleBatch, sources: Pictures, finished: Candidates) -> list[Verdict]:
    """Let the judge compare each record's best candidates of the last step, all records in one call."""
    from editfoundry.judging import EditPair

    if branch.judge is None:
        raise ValueError("judging needs the role vision_language_model; load the branch with this config")
    count = min(batch.config.num_judged_candidates, finished.total.shape[1])
    # Stable, so that of equal candidates the earlier one comes first.
    best = torch.sort(finished.total, dim=1, descending=True, stable=True).indices[:, :count]
    pairs = []
    for row, quadruple in enumerate(batch.quadruples):
        for column in best[row].tolist():
            image = finished.pictures.images[row * finished.total.shape[1] + column]
            pairs.append(
                EditPair(
                    input_image=sources.images[row],
                    output_image=image,
                    instruction=quadruple.instruction,
                    input_caption=quadruple.input_caption,
                    output_caption=quadruple.output_caption,
                )
            )
    judgements = branch.judge(pairs)
    return [Verdict(columns, judgements[row * count : (row + 1) * count]) for row, columns in enumerate(best.tolist())]
