"""InstructPix2Pix, section 3.1.2: directional CLIP similarity picks the better of many candidate pairs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from editfoundry.claims.claim import Claim, Detail, Finding, level
from editfoundry.claims.verdicts import in_doubt, is_above
from editfoundry.claims.workbench import Workbench
from editfoundry.data.hashing import input_hash
from editfoundry.evaluation.bootstrap import paired_difference
from editfoundry.evaluation.json_file import write_json
from editfoundry.lineage.claims_config import ClaimsConfig
from editfoundry.pretrained.clip import ClipEncoder
from editfoundry.pretrained.identity import model_identity
from editfoundry.pretraining.triplet_truth import at_tinyworlds_size
from editfoundry.synthesis.instruct_pix2pix.caption_pairs import CaptionPair
from editfoundry.synthesis.instruct_pix2pix.choosing import score_pairs
from editfoundry.synthesis.instruct_pix2pix.config import PairConfig
from editfoundry.synthesis.instruct_pix2pix.painting import PaintedPair, PairPainter
from editfoundry.tinyworld.benchmark import plain_cases
from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.outcome import RULE_VERSION, judge_outcome

_ANOTHER = "direction_of_another"


def candidate_settings(chosen: ClaimsConfig) -> PairConfig:
    """Return how the ledger paints candidates."""
    return PairConfig(
        num_candidates=chosen.num_candidates,
        num_inference_steps=chosen.num_inference_steps,
        min_guidance_scale=chosen.guidance_scale,
        max_guidance_scale=chosen.guidance_scale,
        seed=chosen.seed,
    )


def candidate_rows(bench: Workbench) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Paint and score the candidates of the ledger's caption pairs, or take what is there.

    Returns:
        Each ``(N, C)`` float64: whether the second picture is right, how far the candidate moves as its captions do,
        and how far it moves as another pair's do.
    """
    chosen = bench.config
    settings = candidate_settings(chosen)
    identity = [model_identity(bench.profile, role) for role in ("text_to_image", "clip")]
    folder = bench.work_dir / "candidates" / input_hash(identity, _given(settings), RULE_VERSION)[:16]
    cases = plain_cases(chosen.num_caption_pairs, chosen.seed)
    num_at_once = max(1, chosen.batch_size // chosen.num_candidates)
    for start in range(0, len(cases), num_at_once):
        _measure(bench, settings, folder, cases, range(start, min(start + num_at_once, len(cases))))
        if bench.progress is not None:
            bench.progress(min(start + num_at_once, len(cases)), len(cases))
    rows = [json.loads(_file(folder, case).read_text()) for case in cases]
    right, direction, elsewhere = (np.array([row[name] for row in rows]) for name in ("right", "direction", _ANOTHER))
    return right, direction, elsewhere


def _given(settings: PairConfig) -> dict[str, Any]:
    """Return the settings that are set: one that came later and is left open changes no name of what was painted."""
    return {name: value for name, value in asdict(settings).items() if value is not None}


def _beats_random(bench: Workbench) -> Finding:
    chosen = bench.config
    right, direction, elsewhere = candidate_rows(bench)
    picked, by_another = (right[np.arange(len(right)), values.argmax(axis=1)] for values in (direction, elsewhere))
    effect = paired_difference(right.mean(axis=1), picked, seed=chosen.seed)
    return Finding(
        effect=effect,
        verdict=is_above(effect),
        controls=(
            Detail(
                label="Picked by another caption pair's direction",
                interval=paired_difference(right.mean(axis=1), by_another, seed=chosen.seed),
            ),
        ),
        details=(
            level("Right, drawn at random", right.mean(axis=1), chosen.seed),
            level("Right, picked by CLIP", picked, chosen.seed),
            level("Right, best of all", right.max(axis=1), chosen.seed),
        ),
        note=in_doubt("Effect", effect),
    )


def _measure(
    bench: Workbench, settings: PairConfig, folder: Path, cases: Sequence[EditCase], places: Iterable[int]
) -> None:
    """Paint and score the candidates of those of the cases that have none yet, one file a case."""
    missing = [place for place in places if not _file(folder, cases[place]).is_file()]
    if not missing:
        return
    captions = [caption_pair_of(cases[place]) for place in missing]
    others = [caption_pair_of(another_case(cases, place)) for place in missing]
    painted = PairPainter(bench.painter).paint(captions, settings)
    directions, by_another = (_directions(bench.clip, asked, painted) for asked in (captions, others))
    for row, place in enumerate(missing):
        case, outputs = cases[place], [at_tinyworlds_size(pair.after) for pair in painted[row]]
        right = [float(judge_outcome(output, case).right) for output in outputs]
        write_json(_file(folder, case), {"right": right, "direction": directions[row], _ANOTHER: by_another[row]})


def another_case(cases: Sequence[EditCase], place: int) -> EditCase:
    """Return the next case that changes another thing; the first follows the last. The next at all if none does."""
    others = [*cases[place + 1 :], *cases[:place]] or [cases[place]]
    return next((case for case in others if case.changes != cases[place].changes), others[0])


def _directions(
    clip: ClipEncoder, captions: Sequence[CaptionPair], painted: Sequence[Sequence[PaintedPair]]
) -> list[list[float]]:
    """Return how far each caption pair's candidates move as those captions do."""
    scores = iter(score_pairs(clip, captions, painted))
    return [[next(scores)["clip_direction"] for _ in pairs] for pairs in painted]


def caption_pair_of(case: EditCase) -> CaptionPair:
    """Return the texts of a case."""
    return CaptionPair(
        input_caption=case.input_caption, instruction=case.instruction, output_caption=case.output_caption
    )


def _file(folder: Path, case: EditCase) -> Path:
    return folder / f"{case.id}.json"


CLIP_FILTER_BEATS_RANDOM = Claim(
    name="ip2p-clip-filter",
    paper="InstructPix2Pix",
    sentence="Choosing prompt-to-prompt pairs by directional CLIP similarity beats a random choice.",
    arms=("a candidate drawn at random (exact expectation)", "the candidate of highest directional similarity"),
    metric=("Share of chosen pairs whose second picture is right, paired by caption pair; higher is better."),
    rule="Holds where the interval lies above 0, fails where it lies at or below 0.",
    test=_beats_random,
    limits="Pairs are judged, not editors trained on them; fewer candidates a caption pair than the paper's 100.",
)
