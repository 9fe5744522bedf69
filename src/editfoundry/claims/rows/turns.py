"""Emu Edit, section 4.5: keeping the pixels that hardly changed keeps a picture from drifting over several turns."""

from __future__ import annotations

import numpy as np

from editfoundry.claims.claim import Claim, Detail, Finding
from editfoundry.claims.scores import ArmScores, gain
from editfoundry.claims.verdicts import all_of, in_doubt, is_above
from editfoundry.claims.workbench import Workbench
from editfoundry.editors.multi_turn import KEEP_BELOW
from editfoundry.evaluation.benchmarks.reading import read_benchmark
from editfoundry.evaluation.bootstrap import Interval, paired_difference
from editfoundry.evaluation.reports.run_results import RIGHT
from editfoundry.tinyworld.turns import NUM_TURNS

MARGIN = 0.02
"""How much lower the share of right edits may be."""
_KEPT = "preservation_psnr"


def _keeps(bench: Workbench) -> Finding:
    chosen = bench.config
    benchmark = read_benchmark("tinyworld-turns", num_items=chosen.num_turn_items, seed=chosen.seed)
    editor = bench.emu_edit()
    plain = bench.scores(bench.contestant(editor, own_guidance=True), benchmark)
    kept = bench.scores(bench.contestant(editor, own_guidance=True, keep_below=KEEP_BELOW), benchmark)
    by_turn = [_gain_at(turn, plain, kept, chosen.seed) for turn in range(NUM_TURNS)]
    right = gain(plain, kept, RIGHT, chosen.seed)
    nothing = _nothing(plain, chosen.seed)
    return Finding(
        effect=by_turn[-1],
        verdict=all_of([is_above(by_turn[-1]), is_above(right, -MARGIN)]),
        controls=(Detail(label="Doing nothing at all, in the threshold's place", interval=nothing),),
        details=(
            *(Detail(label=f"After turn {turn + 1}", interval=one) for turn, one in enumerate(by_turn[:-1])),
            Detail(label="Right edits of all turns, gain", interval=right),
        ),
        note=in_doubt("Right edits", right, -MARGIN),
    )


def of_turn(arm: ArmScores, turn: int) -> np.ndarray:
    """Return ``(N,)`` bool: which items are of a turn, counted from 0; their ids end in it."""
    return np.array([name.rpartition("-")[2] == str(turn) for name in arm.ids])


def _gain_at(turn: int, plain: ArmScores, kept: ArmScores, seed: int) -> Interval:
    chosen = of_turn(plain, turn)
    return paired_difference(plain.of(_KEPT)[chosen], kept.of(_KEPT)[chosen], seed=seed)


def _nothing(plain: ArmScores, seed: int) -> Interval:
    chosen = of_turn(plain, NUM_TURNS - 1)
    return paired_difference(plain.of(_KEPT)[chosen], plain.of_picture("input", _KEPT)[chosen], seed=seed)


THRESHOLD_KEEPS_TURNS = Claim(
    name="emu-threshold-keeps-turns",
    paper="Emu Edit",
    sentence="Keeping the input's pixel where an edit hardly changed it keeps several turns from drifting.",
    arms=("Emu Edit's editor over four turns", f"with pixels kept below {KEEP_BELOW:g}"),
    metric=(
        "PSNR against the first picture, in dB and at most 60, after the fourth turn, over the pixels that no turn "
        "truly changes; paired difference, higher is less drift."
    ),
    rule=(
        f"Holds where the interval lies above 0 and that of the share of right edits of all turns above -{MARGIN:g}; "
        "fails where one lies at or below its bound."
    ),
    test=_keeps,
    limits="The paper shows pictures alone. Plain edits of tinyworld's drawn pictures, whose backgrounds stay.",
)
