"""MGIE, sections 3.2 and 4: what a language model is worth that sees the picture, and what its training is."""

from __future__ import annotations

from functools import partial

import numpy as np

from editfoundry.claims.claim import Claim, Detail, Finding, level
from editfoundry.claims.scores import BY_ANOTHER, SPECIFIC, ArmScores, gain, gain_by_another, specific_gain
from editfoundry.claims.verdicts import Verdict, all_of, in_doubt, is_above
from editfoundry.claims.workbench import Workbench
from editfoundry.evaluation.benchmarks.item import Benchmark
from editfoundry.evaluation.benchmarks.reading import read_benchmark
from editfoundry.evaluation.bootstrap import Interval, paired_difference
from editfoundry.evaluation.reports.run_results import RIGHT, SHARP

MGIE, BASELINE = "mgie", "mgie_baseline"
TITLES = {
    "mgie": "MGIE",
    "mgie_lgie": "LGIE, which sees no picture",
    "mgie_fz": "FZ: the language model stays as it is",
    "mgie_ft": "FT: the language model learns its answers alone",
    "mgie_raw": "answers with the raw instruction",
    "mgie_baseline": "InstructPix2Pix",
}
MARGIN = 0.02
"""Share of plain edits that may be lost."""
TEXT_ONLY = "What the best guess from the text alone gets right"
_LIMITS = (
    "Small models on tinyworld, started at EditWorld's editor, whose UNet stays as it is but in InstructPix2Pix; the "
    "language model's blocks learn, too, to say outright what each instruction means."
)
_BENCHMARK = "tinyworld-ambiguous"


def _beats(bench: Workbench, other: str, least: float) -> Finding:
    seed, benchmark = bench.config.seed, _ambiguous(bench)
    before, after = (_scores(bench, name, benchmark) for name in (other, MGIE))
    effect, specific = gain(before, after, RIGHT, seed), specific_gain(before, after, RIGHT, seed)
    bound = float(benchmark.facts["text_only_bound"])  # type: ignore[arg-type]
    kept = gain(before, after, "preservation_psnr", seed)
    return Finding(
        effect=effect,
        verdict=_at_least(all_of([is_above(effect), is_above(specific)]), effect, least),
        controls=(Detail(label=BY_ANOTHER, interval=gain_by_another(before, after, RIGHT, seed)),),
        details=(
            Detail(label=SPECIFIC, interval=specific),
            level(f"Right, {TITLES[other]}", before.of(RIGHT), seed),
            level(f"Right, {TITLES[MGIE]}", after.of(RIGHT), seed),
            Detail(label="Sharp, gain", interval=gain(before, after, SHARP, seed)),
            Detail(label="Preservation, gain in dB", interval=kept),
            Detail(label=TEXT_ONLY, interval=Interval(bound, bound, bound, len(benchmark.items)), is_difference=False),
        ),
        note=in_doubt("Gain", effect),
    )


def _at_least(verdict: Verdict, effect: Interval, least: float) -> Verdict:
    """Return ``verdict``, unless the gain itself is smaller than it must be; a bound of 0 is the interval's affair."""
    return "does not hold" if least > 0 and effect.value is not None and effect.value < least else verdict


def _keeps_plain_edits(bench: Workbench) -> Finding:
    seed = bench.config.seed
    benchmark = read_benchmark("tinyworld-plain", num_items=bench.config.num_plain_items, seed=seed)
    before, after = (_scores(bench, name, benchmark) for name in (BASELINE, MGIE))
    effect, specific = gain(before, after, RIGHT, seed), specific_gain(before, after, RIGHT, seed)
    return Finding(
        effect=effect,
        verdict=all_of([is_above(effect, -MARGIN), is_above(specific, -MARGIN)]),
        controls=(Detail(label=BY_ANOTHER, interval=gain_by_another(before, after, RIGHT, seed)),),
        details=(
            Detail(label=SPECIFIC, interval=specific),
            level(f"Right, {TITLES[BASELINE]}", before.of(RIGHT), seed),
            level(f"Right, {TITLES[MGIE]}", after.of(RIGHT), seed),
        ),
        note=in_doubt("Gain", effect, -MARGIN),
    )


def _words_are_nearer(bench: Workbench) -> Finding:
    seed, benchmark = bench.config.seed, _ambiguous(bench)
    [items] = (items.values() for items in _scores(bench, MGIE, benchmark).run.items.values())
    words = [item.words or item.instruction for item in items]
    truths = bench.clip.encode_images([picture for item in benchmark.items if (picture := item.open_truth())])
    of_truth, of_input = truths, bench.clip.encode_images([item.open_input() for item in benchmark.items])
    told, raw = (bench.clip.encode_texts(texts) for texts in (words, [item.instruction for item in items]))
    near = [np.asarray((texts * of_truth).sum(-1)) for texts in (raw, told)]
    effect = paired_difference(*near, seed=seed)
    # Words about the picture as it is are near to it, too: what counts is that they are nearer to what it becomes.
    specific = paired_difference(
        *(values - np.asarray((texts * of_input).sum(-1)) for values, texts in zip(near, (raw, told), strict=True)),
        seed=seed,
    )
    others = np.asarray((told * of_truth.roll(1, 0)).sum(-1))
    return Finding(
        effect=effect,
        verdict=all_of([is_above(effect), is_above(specific)]),
        controls=(
            Detail(label="Gain at another item's truth", interval=paired_difference(near[0], others, seed=seed)),
        ),
        details=(
            Detail(label="Gain at the truth minus gain at the input", interval=specific),
            level("Cosine of raw instruction and truth", near[0], seed),
            level("Cosine of expressive instruction and truth", near[1], seed),
        ),
        note=in_doubt("Gain", effect),
    )


def _ambiguous(bench: Workbench) -> Benchmark:
    return read_benchmark(_BENCHMARK, num_items=bench.config.num_ambiguous_items, seed=bench.config.seed)


def _scores(bench: Workbench, name: str, benchmark: Benchmark) -> ArmScores:
    return bench.scores(bench.contestant(bench.trained_on_ambiguous(name)), benchmark)


def _beats_on_ambiguous(name: str, sentence: str, other: str, least: float = 0.0, limits: str = "") -> Claim:
    bound = f" and the gain is at least {least:g}" if least else ""
    return Claim(
        name=name,
        paper="MGIE",
        sentence=sentence,
        arms=(TITLES[other], TITLES[MGIE]),
        metric="Outcome accuracy where only the picture says what is meant, paired difference; higher is better.",
        rule=(
            f"Holds where the intervals of gain and specific gain lie above 0{bound}; fails where one lies below 0"
            f"{', or the gain is smaller' if least else ''}."
        ),
        test=partial(_beats, other=other, least=least),
        limits=f"{_LIMITS} {limits}".strip(),
    )


BEATS_INSTRUCT_PIX2PIX = _beats_on_ambiguous(
    "mgie-beats-ip2p",
    "A language model that sees the picture makes clear what a text encoder cannot know.",
    BASELINE,
    0.15,
    "The paper compares CLIP and LPIPS on photographs.",
)
BEATS_TEXT_ONLY = _beats_on_ambiguous(
    "mgie-beats-lgie", "It is the picture that helps, not the language model alone.", "mgie_lgie", 0.1
)
END_TO_END_BEATS_FINE_TUNED = _beats_on_ambiguous(
    "mgie-e2e-beats-ft", "Training end to end beats a language model that learns its answers alone.", "mgie_ft"
)
END_TO_END_BEATS_FROZEN = _beats_on_ambiguous(
    "mgie-e2e-beats-fz", "Training end to end beats a language model that stays as it is.", "mgie_fz"
)
EXPRESSIVE_BEATS_RAW = _beats_on_ambiguous(
    "mgie-expressive-beats-raw", "Expressive instructions guide better than the raw ones.", "mgie_raw"
)
MGIE_KEEPS_PLAIN_EDITS = Claim(
    name="mgie-keeps-plain-edits",
    paper="MGIE",
    sentence="On edits whose instruction says everything, nothing is lost.",
    arms=(TITLES[BASELINE], TITLES[MGIE]),
    metric="Outcome accuracy on plain edits, paired difference; higher is better.",
    rule=f"Holds where the intervals of gain and specific gain lie above -{MARGIN:g}, fails where one lies below.",
    test=_keeps_plain_edits,
    limits=_LIMITS,
)
WORDS_ARE_NEARER = Claim(
    name="mgie-words-are-nearer",
    paper="MGIE",
    sentence="Expressive instructions are nearer to the target picture than the raw ones (figure 5).",
    arms=("raw instruction", "expressive instruction"),
    metric="Cosine of CLIP's embeddings of the text and of the true outcome, paired difference; higher is better.",
    rule=(
        "Holds where the intervals of the gain, and of the gain beyond that at the input picture, lie above 0; fails "
        "where one lies below it."
    ),
    test=_words_are_nearer,
    limits=_LIMITS,
)
