"""EditWorld, section 5.4: the fine-tuned editor still makes traditional edits."""

from __future__ import annotations

from editfoundry.claims.claim import Claim, Detail, Finding
from editfoundry.claims.scores import BY_ANOTHER, SPECIFIC, gain, gain_by_another, specific_gain
from editfoundry.claims.verdicts import all_of, in_doubt, is_above
from editfoundry.claims.workbench import Workbench
from editfoundry.data.record import PLAIN_CATEGORIES
from editfoundry.evaluation.benchmarks.reading import read_benchmark
from editfoundry.evaluation.reports.run_results import RIGHT

MARGIN = 0.1
"""Share of edits that may be lost: what 50 edits of the paper could not have shown either."""


def _keeps_plain_edits(bench: Workbench) -> Finding:
    seed = bench.config.seed
    benchmark = read_benchmark("tinyworld-plain", num_items=bench.config.num_plain_items, seed=seed)
    base = bench.scores(bench.contestant("base", own_guidance=True), benchmark)
    tuned = bench.scores(bench.contestant(bench.editworld(), own_guidance=True), benchmark)
    effect, specific = gain(base, tuned, RIGHT, seed), specific_gain(base, tuned, RIGHT, seed)
    details = [Detail(label=f"Gain, {c}", interval=gain(base, tuned, RIGHT, seed, c)) for c in PLAIN_CATEGORIES]
    clip, kept = (gain(base, tuned, metric, seed) for metric in ("clip_score", "preservation_psnr"))
    details += [
        Detail(label=SPECIFIC, interval=specific),
        Detail(label="CLIP score, gain", interval=clip),
        Detail(label="Preservation, gain in dB", interval=kept),
    ]
    return Finding(
        effect=effect,
        verdict=all_of([is_above(effect, -MARGIN), is_above(specific, -MARGIN)]),
        controls=(Detail(label=BY_ANOTHER, interval=gain_by_another(base, tuned, RIGHT, seed)),),
        details=tuple(details),
        note=in_doubt("Gain", effect, -MARGIN),
    )


KEEPS_PLAIN_EDITS = Claim(
    name="editworld-keeps-plain-edits",
    paper="EditWorld",
    sentence="Fine-tuning on world instructions keeps traditional edits (add, change, remove).",
    arms=("InstructPix2Pix base", "EditWorld fine-tuned"),
    metric="Outcome accuracy on plain edits, paired difference; higher is better.",
    rule=(
        f"Holds where the intervals of the gain and of the specific gain lie above -{MARGIN:g} (no more than a tenth "
        "of the edits lost), fails where one lies below."
    ),
    test=_keeps_plain_edits,
    limits="The paper compares LPIPS and CLIP score on 50 edits of photographs.",
)
