"""EditWorld, section 5.2 and table 2: fine-tuning teaches world instructions, in every category."""

from __future__ import annotations

from editfoundry.claims.claim import Claim, Detail, Finding
from editfoundry.claims.scores import BY_ANOTHER, SPECIFIC, ArmScores, gain, gain_by_another, specific_gain
from editfoundry.claims.verdicts import all_of, in_doubt, is_above
from editfoundry.claims.workbench import Workbench
from editfoundry.data.record import WORLD_CATEGORIES
from editfoundry.evaluation.benchmarks.reading import read_benchmark
from editfoundry.evaluation.bootstrap import Interval
from editfoundry.evaluation.reports.run_results import RIGHT

_ARMS = ("InstructPix2Pix base", "EditWorld fine-tuned")
_METRIC = (
    "Outcome accuracy: share of edits nearer (L2, inside what truly changes) to the true outcome than to the input and "
    "to at least twelve wrong outcomes, with less than half of the input's error; paired difference"
)
_LIMITS = "The paper compares CLIP and MLLM scores on photographs; tinyworld knows the true outcome."


def _arms(bench: Workbench) -> tuple[ArmScores, ArmScores]:
    benchmark = read_benchmark("tinyworld-world", num_items=bench.config.num_world_items, seed=bench.config.seed)
    base, tuned = (bench.contestant(editor, own_guidance=True) for editor in ("base", bench.editworld()))
    return bench.scores(base, benchmark), bench.scores(tuned, benchmark)


def _beats_base(bench: Workbench) -> Finding:
    base, tuned = _arms(bench)
    seed = bench.config.seed
    effect, specific = gain(base, tuned, RIGHT, seed), specific_gain(base, tuned, RIGHT, seed)
    return Finding(
        effect=effect,
        verdict=all_of([is_above(effect), is_above(specific)]),
        controls=(Detail(label=BY_ANOTHER, interval=gain_by_another(base, tuned, RIGHT, seed)),),
        details=(
            Detail(label=SPECIFIC, interval=specific),
            Detail(label="CLIP score, gain", interval=gain(base, tuned, "clip_score", seed)),
        ),
        note=in_doubt("Specific gain", specific),
    )


def _in_every_category(bench: Workbench) -> Finding:
    base, tuned = _arms(bench)
    gains, by_another, specific = (
        {c: measure(base, tuned, RIGHT, bench.config.seed, c) for c in WORLD_CATEGORIES}
        for measure in (gain, gain_by_another, specific_gain)
    )
    verdicts = {c: all_of([is_above(gains[c]), is_above(specific[c])]) for c in WORLD_CATEGORIES}
    others = [f"{category}: {verdict}" for category, verdict in verdicts.items() if verdict != "holds"]
    doubts = [in_doubt(f"Specific gain in {c}", specific[c]) for c in WORLD_CATEGORIES]
    least, most = min(gains, key=lambda c: _value(gains[c])), max(by_another, key=lambda c: _value(by_another[c]))
    unclear = [f"The effect shown is the smallest of the seven. Not clear in {', '.join(others)}."] if others else []
    return Finding(
        effect=gains[least],
        verdict=all_of(verdicts.values()),
        controls=(Detail(label=f"{BY_ANOTHER}, the largest of the seven ({most})", interval=by_another[most]),),
        details=tuple(Detail(label=category, interval=interval) for category, interval in gains.items()),
        note=" ".join([*unclear, *filter(None, doubts)]),
    )


def _value(interval: Interval) -> float:
    return -1.0 if interval.value is None else interval.value


BEATS_BASE = Claim(
    name="editworld-beats-base",
    paper="EditWorld",
    sentence="Fine-tuning on world-instructed triplets beats the base editor on world instructions.",
    arms=_ARMS,
    metric=_METRIC + "; higher is better.",
    rule="Holds where the intervals of the gain and of the specific gain lie above 0, fails where one lies below it.",
    test=_beats_base,
    limits=_LIMITS,
)
IN_EVERY_CATEGORY = Claim(
    name="editworld-every-category",
    paper="EditWorld",
    sentence="Fine-tuning beats the base editor in each of the seven world categories.",
    arms=_ARMS,
    metric=_METRIC + " of each category; the smallest is shown.",
    rule="Holds where the gain and the specific gain lie above 0 in all seven, fails where one lies at or below 0.",
    test=_in_every_category,
    limits=_LIMITS,
)
