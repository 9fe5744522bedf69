"""InstructPix2Pix, section 3.1.2: directional CLIP similarity picks the better of many candidate pairs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from editfoundry.claims.claim import Claim, Detail, Finding
from editfoundry.claims.verdicts import is_above
from editfoundry.claims.workbench import Workbench
from editfoundry.data.hashing import input_hash
from editfoundry.evaluation.bootstrap import bootstrap_interval, paired_difference
from editfoundry.evaluation.json_file import write_json
from editfoundry.pretrained.identity import model_identity
from editfoundry.synthesis.instruct_pix2pix.caption_pairs import CaptionPair
from editfoundry.synthesis.instruct_pix2pix.choosing import score_pairs
from editfoundry.synthesis.instruct_pix2pix.config import PairConfig
from editfoundry.synthesis.instruct_pix2pix.painting import PairPainter
from editfoundry.tinyworld.benchmark import plain_cases
from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.outcome import RULE_VERSION, judge_outcome
from editfoundry.tinyworld.scene import IMAGE_SIZE


def _beats_random(bench: Workbench) -> Finding:
    chosen = bench.config
    settings = PairConfig(
        num_candidates=chosen.num_candidates,
        num_inference_steps=chosen.num_inference_steps,
        min_guidance_scale=chosen.guidance_scale,
        max_guidance_scale=chosen.guidance_scale,
        seed=chosen.seed,
    )
    identity = [model_identity(bench.profile, role) for role in ("text_to_image", "clip")]
    folder = bench.work_dir / "candidates" / input_hash(identity, asdict(settings), RULE_VERSION)[:16]
    cases = plain_cases(chosen.num_caption_pairs, chosen.seed)
    num_at_once = max(1, chosen.batch_size // chosen.num_candidates)
    for start in range(0, len(cases), num_at_once):
        _measure(bench, settings, folder, cases[start : start + num_at_once])
        if bench.progress is not None:
            bench.progress(min(start + num_at_once, len(cases)), len(cases))
    rows = [json.loads(_file(folder, case).read_text()) for case in cases]
    right, direction = (np.array([row[name] for row in rows]) for name in ("right", "direction"))
    picked = right[np.arange(len(rows)), direction.argmax(axis=1)]
    effect = paired_difference(right.mean(axis=1), picked, seed=chosen.seed)
    return Finding(
        effect=effect,
        verdict=is_above(effect),
        details=(
            _level("Right, drawn at random", right.mean(axis=1), chosen.seed),
            _level("Right, picked by CLIP", picked, chosen.seed),
            _level("Right, best of all", right.max(axis=1), chosen.seed),
        ),
    )


def _level(label: str, values: np.ndarray, seed: int) -> Detail:
    return Detail(label=label, interval=bootstrap_interval(values, seed=seed), is_difference=False)


def _measure(bench: Workbench, settings: PairConfig, folder: Path, cases: Sequence[EditCase]) -> None:
    """Paint and score the candidates of the cases that have none yet, one file a case."""
    missing = [case for case in cases if not _file(folder, case).is_file()]
    if not missing:
        return
    captions = [_caption_pair(case) for case in missing]
    painted = PairPainter(bench.painter).paint(captions, settings)
    scores = iter(score_pairs(bench.clip, captions, painted))
    for case, pairs in zip(missing, painted, strict=True):
        outputs = [np.asarray(_at_tinyworlds_size(pair.after)) for pair in pairs]
        right = [float(judge_outcome(output, case).right) for output in outputs]
        directions = [next(scores)["clip_direction"] for _ in pairs]
        write_json(_file(folder, case), {"right": right, "direction": directions})


def _caption_pair(case: EditCase) -> CaptionPair:
    return CaptionPair(
        input_caption=case.input_caption, instruction=case.instruction, output_caption=case.output_caption
    )


def _at_tinyworlds_size(picture: Image.Image) -> Image.Image:
    return picture.convert("RGB").resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.LANCZOS)


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
