"""EditWorld, section 5.2 and table 2: fine-tuning teaches world instructions, in every category."""

from __future__ import annotations

from editfoundry.claims.claim import Claim, Detail, Finding
from editfoundry.claims.scores import ArmScores, gain
from editfoundry.claims.verdicts import all_of, is_above
from editfoundry.claims.workbench import Workbench
from editfoundry.data.record import WORLD_CATEGORIES
from editfoundry.evaluation.benchmarks.reading import read_benchmark
from editfoundry.evaluation.reports.run_results import RIGHT

_ARMS = ("InstructPix2Pix base", "EditWorld fine-tuned")
_METRIC = (
    "Outcome accuracy: share of edits nearer (L2, inside what truly changes) to the true outcome than to the input and "
    "to at least twelve wrong outcomes, with less than half of the input's error; paired difference"
)
_LIMITS = "The paper compares CLIP and MLLM scores on photographs; tinyworld knows the true outcome."


def _arms(bench: Workbench) -> tuple[ArmScores, ArmScores]:
    benchmark = read_benchmark("tinyworld-world", num_items=bench.config.num_world_items, seed=bench.config.seed)
    base, tuned = bench.contestant("base"), bench.contestant(bench.editworld())
    return bench.scores(base, benchmark), bench.scores(tuned, benchmark)


def _beats_base(bench: Workbench) -> Finding:
    base, tuned = _arms(bench)
    effect = gain(base, tuned, RIGHT, bench.config.seed)
    clip = gain(base, tuned, "clip_score", bench.config.seed)
    return Finding(effect=effect, verdict=is_above(effect), details=(Detail(label="CLIP score, gain", interval=clip),))


def _in_every_category(bench: Workbench) -> Finding:
    base, tuned = _arms(bench)
    gains = {c: gain(base, tuned, RIGHT, bench.config.seed, c) for c in WORLD_CATEGORIES}
    verdicts = {category: is_above(interval) for category, interval in gains.items()}
    least = min(gains.values(), key=lambda interval: -1.0 if interval.value is None else interval.value)
    others = [f"{category}: {verdict}" for category, verdict in verdicts.items() if verdict != "holds"]
    return Finding(
        effect=least,
        verdict=all_of(verdicts.values()),
        details=tuple(Detail(label=category, interval=interval) for category, interval in gains.items()),
        note=f"The effect shown is the smallest of the seven. Not clear in {', '.join(others)}." if others else "",
    )


BEATS_BASE = Claim(
    name="editworld-beats-base",
    paper="EditWorld",
    sentence="Fine-tuning on world-instructed triplets beats the base editor on world instructions.",
    arms=_ARMS,
    metric=_METRIC + "; higher is better.",
    rule="Holds where the interval lies above 0, fails where it lies at or below 0.",
    test=_beats_base,
    limits=_LIMITS,
)
IN_EVERY_CATEGORY = Claim(
    name="editworld-every-category",
    paper="EditWorld",
    sentence="Fine-tuning beats the base editor in each of the seven world categories.",
    arms=_ARMS,
    metric=_METRIC + " of each category; the smallest is shown.",
    rule="Holds where all seven intervals lie above 0, fails where one lies at or below 0.",
    test=_in_every_category,
    limits=_LIMITS,
)
