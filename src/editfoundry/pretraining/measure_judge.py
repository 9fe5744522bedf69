"""How often the judge keeps what is true and drops what is not, on worlds that training never showed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from editfoundry.errors import Rejection
from editfoundry.judging import EditPair, JudgeConfig, Judgement, JudgeThresholds, check_judge, judge_pairs
from editfoundry.judging.judge_prompts import DESCRIBE
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.pretrained.vision_language_model import VisionLanguageModel, load_vision_language_model
from editfoundry.pretraining.judged_pairs import JudgedPair, judged_pictures, sample_judged_pair
from editfoundry.profiles import Profile
from editfoundry.tinyworld.scene_sampling import random_stream

NUM_PAIRS = 300
"""Of each kind."""
KEPT = "true"
DROPPED = ("wrong", "unchanged", "other object", "blurred", "something else changed")
BLUR_LEVELS = (3, 4)


def measure_vision_language_model(profile: Profile, runtime: Runtime, num_pairs: int = NUM_PAIRS) -> dict[str, float]:
    """Return balanced accuracy of kept and dropped at the profile's thresholds, each kind's rate, and caption matches.

    Pairs are of the test split, in wordings of the training split, half of them through the autoencoder. Balanced
    accuracy is the mean of the share of true outcomes kept and of the mean share dropped of a wrong outcome, the
    unchanged input, another object and a blurred true outcome; that of the answers alone is at the usual thresholds,
    which look at no caption.

    Raises:
        MissingModelError: the model, or the painter whose autoencoder is used, is not there.
    """
    judge = load_vision_language_model(profile, runtime)
    vae = load_text_to_image(profile, runtime).vae
    thresholds = JudgeThresholds.of_profile(profile)
    rates: dict[str, float] = {}
    rates_of_answers: dict[str, float] = {}
    for kind in (KEPT, *DROPPED):
        pairs = [_test_pair(kind, number) for number in range(num_pairs)]
        pictures = [picture for block in judged_pictures(pairs, vae) for picture in block]
        judged = _judged(judge, pairs, pictures)
        rates[kind] = _right_share(judged, thresholds, kind)
        rates_of_answers[kind] = _right_share(judged, JudgeThresholds(), kind)
        if kind == KEPT:
            captions = _caption_matches(judge, pairs, pictures)
    named = {f"{'kept' if kind == KEPT else 'dropped'}_{kind.replace(' ', '_')}": rate for kind, rate in rates.items()}
    return {
        "balanced_accuracy": _balanced(rates),
        "balanced_accuracy_of_answers": _balanced(rates_of_answers),
        **named,
        "caption_exact_match": captions,
    }


def _balanced(rates: Mapping[str, float]) -> float:
    return (rates[KEPT] + float(np.mean([rates[kind] for kind in DROPPED[:4]]))) / 2


def _test_pair(kind: str, number: int) -> JudgedPair:
    random = random_stream("judged", "test", kind, number)
    if kind == "blurred":
        pair = sample_judged_pair(random, "test", "true")
        return replace(pair, flaw="blurred", level=BLUR_LEVELS[number % len(BLUR_LEVELS)], tells_captions=True)
    return replace(sample_judged_pair(random, "test", kind), tells_captions=True)


def _judged(judge: VisionLanguageModel, pairs: Sequence[JudgedPair], pictures: Sequence[np.ndarray]) -> list[Judgement]:
    asked = [
        EditPair(
            input_image=Image.fromarray(before),
            output_image=Image.fromarray(after),
            instruction=pair.edit.instruction,
            input_caption=pair.edit.before.caption,
            output_caption=pair.edit.after.caption,
        )
        for pair, (before, after) in zip(pairs, pictures, strict=True)
    ]
    return judge_pairs(judge, asked, JudgeConfig(reasons=False))


def _right_share(judgements: Sequence[Judgement], thresholds: JudgeThresholds, kind: str) -> float:
    kept = float(np.mean([_is_kept(judgement, thresholds) for judgement in judgements]))
    return kept if kind == KEPT else 1 - kept


def _is_kept(judgement: Judgement, thresholds: JudgeThresholds) -> bool:
    try:
        check_judge(judgement.scores, thresholds)
    except Rejection:
        return False
    return True


def _caption_matches(judge: VisionLanguageModel, pairs: Sequence[JudgedPair], pictures: Sequence[np.ndarray]) -> float:
    outputs = [(Image.fromarray(after),) for _, after in pictures]
    captions = judge.generate(outputs, [DESCRIBE] * len(outputs), max_new_tokens=48)
    return float(np.mean([c == pair.output.caption for c, pair in zip(captions, pairs, strict=True)]))
