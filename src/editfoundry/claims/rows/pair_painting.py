"""InstructPix2Pix, section 3.1.2: what makes the two pictures of a pair alike, and what many candidates are worth."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import numpy as np

from editfoundry.claims.claim import Claim, Detail, Finding, level
from editfoundry.claims.rows.clip_filter import (
    candidate_rows,
    candidate_settings,
    caption_pair_of,
)
from editfoundry.claims.verdicts import in_doubt, is_above
from editfoundry.claims.workbench import Workbench
from editfoundry.data.hashing import input_hash
from editfoundry.evaluation.bootstrap import paired_difference
from editfoundry.evaluation.json_file import write_json
from editfoundry.evaluation.preservation import capped_psnr
from editfoundry.pretrained.identity import model_identity
from editfoundry.pretraining.triplet_truth import at_tinyworlds_size
from editfoundry.synthesis.instruct_pix2pix.painting import PaintedPair, PairPainter
from editfoundry.tinyworld.benchmark import plain_cases
from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.outcome import RULE_VERSION, changed_region, judge_outcome

SHARED_ATTENTION, SHARED_NOISE, INDEPENDENT = "shared attention", "shared noise alone", "two independent paintings"
_ANOTHER = "pictures of two candidates"
NUM_CANDIDATES = 2
"""Of a caption pair; the second picture of the one candidate beside the first of the other is painted independently."""


def _alike(bench: Workbench, first: str, second: str) -> Finding:
    """Compare how alike two ways of painting leave what should stay."""
    rows, seed = _measured(bench), bench.config.seed
    psnr = {name: np.array([row[name]["psnr"] for row in rows]) for name in (*_ARMS, _ANOTHER)}
    right = {name: np.array([row[name]["right"] for row in rows]) for name in _ARMS}
    effect = paired_difference(psnr[first], psnr[second], seed=seed)
    chance = paired_difference(psnr[INDEPENDENT], psnr[_ANOTHER], seed=seed)
    return Finding(
        effect=effect,
        verdict=is_above(effect),
        controls=(Detail(label="First pictures of two candidates against two independent paintings", interval=chance),),
        details=(
            *(level(f"PSNR outside what changes, {name}", psnr[name], seed) for name in (first, second)),
            *(level(f"Second picture right, {name}", right[name], seed) for name in (first, second)),
        ),
        note=in_doubt("Effect", effect),
    )


_ARMS = (SHARED_ATTENTION, SHARED_NOISE, INDEPENDENT)


def _measured(bench: Workbench) -> list[dict[str, dict[str, float]]]:
    """Return PSNR and rightness of every way of painting, one row a caption pair; what is there is taken."""
    chosen = bench.config
    shared = replace(candidate_settings(chosen), num_candidates=NUM_CANDIDATES)
    alone = replace(shared, min_share=0.0, max_share=0.0)
    identity = model_identity(bench.profile, "text_to_image")
    folder = bench.work_dir / "pair_painting" / input_hash(identity, shared, alone, RULE_VERSION)[:16]
    cases, rows = plain_cases(chosen.num_painted_pairs, chosen.seed), []
    for number, case in enumerate(cases, start=1):
        file = folder / f"{case.id}.json"
        if not file.is_file():
            pair, painter = [caption_pair_of(case)], PairPainter(bench.painter)
            [together], [apart] = (painter.paint(pair, settings) for settings in (shared, alone))
            write_json(file, _row(case, together, apart))
        rows.append(json.loads(file.read_text()))
        if bench.progress is not None:
            bench.progress(number, len(cases))
    return rows


def _row(case: EditCase, together: list[PaintedPair], apart: list[PaintedPair]) -> dict[str, dict[str, float]]:
    turned = [*apart[1:], apart[0]]
    pairs = {
        SHARED_ATTENTION: [(one.before, one.after) for one in together],
        SHARED_NOISE: [(one.before, one.after) for one in apart],
        INDEPENDENT: [(one.before, other.after) for one, other in zip(apart, turned, strict=True)],
        _ANOTHER: [(one.before, other.before) for one, other in zip(apart, turned, strict=True)],
    }
    return {name: _mean_of(case, [tuple(map(at_tinyworlds_size, pair)) for pair in p]) for name, p in pairs.items()}


def _mean_of(case: EditCase, pairs: list[tuple[np.ndarray, ...]]) -> dict[str, float]:
    outside = ~changed_region(case.input_image, case.true_output)
    psnr = [capped_psnr(float(np.square(a[outside].astype(float) - b[outside]).mean())) for a, b in pairs]
    right = [float(judge_outcome(after, case).right) for _, after in pairs]
    return {"psnr": float(np.mean(psnr)), "right": float(np.mean(right))}


def _many_beat_one(bench: Workbench) -> Finding:
    right, direction, _ = candidate_rows(bench)
    seed, first = bench.config.seed, right[:, 0]
    picked = right[np.arange(len(right)), direction.argmax(axis=1)]
    effect = paired_difference(first, picked, seed=seed)
    return Finding(
        effect=effect,
        verdict=is_above(effect),
        controls=(
            Detail(
                label="Another candidate, drawn at random, against the first",
                interval=paired_difference(first, right[:, 1:].mean(axis=1), seed=seed),
            ),
        ),
        details=(
            level("Right, the first", first, seed),
            level("Right, picked of all", picked, seed),
            level("Right, best of all", right.max(axis=1), seed),
        ),
        note=in_doubt("Effect", effect),
    )


_PSNR = (
    "PSNR in dB between the two pictures of a pair, outside what the edit truly changes, mean of two candidates, "
    "paired by caption pair; higher is better."
)
_RULE = "Holds where the interval lies above 0, fails where it lies at or below 0."
_LIMITS = "Pairs are judged, not editors trained on them; tinyworld tells where nothing should change."
PROMPT_TO_PROMPT = Claim(
    name="ip2p-prompt-to-prompt",
    paper="InstructPix2Pix",
    sentence="Pairs painted by prompt-to-prompt are more alike than two independent paintings of the captions.",
    arms=(INDEPENDENT, f"{SHARED_ATTENTION} and noise"),
    metric=_PSNR,
    rule=_RULE,
    test=partial(_alike, first=INDEPENDENT, second=SHARED_ATTENTION),
    limits=_LIMITS,
)
SHARED_NOISE_HELPS = Claim(
    name="ip2p-shared-noise",
    paper="InstructPix2Pix",
    sentence="Two paintings from one noise are more alike than two independent ones, without any shared attention.",
    arms=(INDEPENDENT, SHARED_NOISE),
    metric=_PSNR,
    rule=_RULE,
    test=partial(_alike, first=INDEPENDENT, second=SHARED_NOISE),
    limits=_LIMITS,
)
MANY_CANDIDATES = Claim(
    name="ip2p-many-candidates",
    paper="InstructPix2Pix",
    sentence="Painting many candidates of a caption pair and keeping CLIP's choice beats painting one.",
    arms=("the first candidate", "the candidate of highest directional similarity among all"),
    metric="Share of chosen pairs whose second picture is right, paired by caption pair; higher is better.",
    rule=_RULE,
    test=_many_beat_one,
    limits="Pairs are judged, not editors trained on them; fewer candidates a caption pair than the paper's 100.",
)
