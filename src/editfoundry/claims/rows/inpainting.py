"""Imagen Editor (Wang et al. 2023): what object masking, learned downsampling and oscillating guidance are worth."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy.ndimage import binary_erosion

from editfoundry.claims.claim import Claim, Detail, Finding, level
from editfoundry.claims.inpainters import holes, masking_arm, trained_cascade
from editfoundry.claims.scores import BY_ANOTHER, SPECIFIC, ArmScores, gain, gain_by_another, specific_gain
from editfoundry.claims.verdicts import Verdict, all_of, in_doubt, is_above, is_below
from editfoundry.claims.workbench import Workbench
from editfoundry.editors.caption_training.object_masks import OBJECT_MASKS, RANDOM_MASKS
from editfoundry.editors.editor import EditRequest
from editfoundry.editors.open_editor import open_editor
from editfoundry.evaluation.benchmarks.editbench import FULL
from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem
from editfoundry.evaluation.bootstrap import Interval, bootstrap_interval, paired_difference
from editfoundry.evaluation.metrics.asked_attributes import attribute_metric
from editfoundry.evaluation.reports.run_results import RIGHT
from editfoundry.tinyworld.editbench.hole import ATTRIBUTES

BAND = 2
"""Width, in pixels, of what is looked at inside a mask's border."""
_ERROR = "l2"
LEAST_RIGHT = 0.05
"""Share of prompts that a cascade has to paint rightly before its guidance says anything of alignment."""


def _object_masking(bench: Workbench) -> Finding:
    benchmark, seed = holes(bench), bench.config.seed
    random, named = (masking_arm(bench, shares, benchmark) for shares in (RANDOM_MASKS, OBJECT_MASKS))
    effect, specific = gain(random, named, RIGHT, seed), specific_gain(random, named, RIGHT, seed)
    asked = [name for name in ATTRIBUTES if attribute_metric(name) in random.values]
    parts = {name: gain(random, named, attribute_metric(name), seed) for name in asked}
    small = _by_size(benchmark, random, named, seed)
    return Finding(
        effect=effect,
        verdict=all_of([is_above(effect), is_above(specific)]),
        controls=(Detail(label=BY_ANOTHER, interval=gain_by_another(random, named, RIGHT, seed)),),
        details=(
            Detail(label=SPECIFIC, interval=specific),
            *(Detail(label=f"Right {name}, gain", interval=interval) for name, interval in parts.items()),
            *(Detail(label=f"Gain in {size} masks", interval=interval) for size, interval in small),
        ),
        note=" ".join(filter(None, (in_doubt("Gain", effect), in_doubt("Specific gain", specific)))),
    )


def _by_size(benchmark: Benchmark, before: ArmScores, after: ArmScores, seed: int) -> list[tuple[str, Interval]]:
    sizes = np.array([item.parts["mask"] for item in benchmark.items])
    gains = after.of(RIGHT) - before.of(RIGHT)
    return [
        (size, bootstrap_interval(gains[sizes == size], seed=seed, groups=after.groups[sizes == size]))
        for size in dict.fromkeys(sizes.tolist())
    ]


def _learned_downsampling(bench: Workbench) -> Finding:
    seed, benchmark = bench.config.seed, holes(bench)
    bicubic, learned = (
        _seam_errors(bench, trained_cascade(bench, downsampling), benchmark) for downsampling in ("bicubic", "learned")
    )
    effect = paired_difference(bicubic[0], learned[0], seed=seed)
    return Finding(
        effect=effect,
        verdict=is_below(effect),
        controls=(
            Detail(
                label="The same in the middle of the hole, where no border is",
                interval=paired_difference(bicubic[1], learned[1], seed=seed),
            ),
        ),
        details=tuple(
            level(f"Error at the border, {name}", errors[0], seed)
            for name, errors in (("bicubic", bicubic), ("learned", learned))
        ),
        note=in_doubt("Difference", effect),
    )


def _seam_errors(bench: Workbench, source: str, benchmark: Benchmark) -> tuple[np.ndarray, np.ndarray]:
    """Return each picture's error in the band inside the hole's border, and in the rest of the hole; ``(N,)`` each."""
    editor, size, errors = open_editor(source, bench.runtime), bench.config.batch_size, []
    items = [item for item in benchmark.items if item.category == FULL]
    for start in range(0, len(items), size):
        part = items[start : start + size]
        edits = editor.edit([_request(item, bench.config.seed) for item in part])
        errors += [_item_errors(item, edit.require()) for item, edit in zip(part, edits, strict=True)]
    band, rest = np.array(errors).T
    return band, rest


def _request(item: BenchmarkItem, seed: int) -> EditRequest:
    return EditRequest(
        image=item.open_input(), instruction=item.instruction, mask=item.open_mask(), seed=seed, id=item.id
    )


def _item_errors(item: BenchmarkItem, edit: Image.Image) -> tuple[float, float]:
    truth, mask = item.open_truth(), item.open_mask()
    assert truth is not None and mask is not None
    return seam_error(edit, truth, np.asarray(mask) > 0)


def seam_error(edit: Image.Image, truth: Image.Image, hole: np.ndarray) -> tuple[float, float]:
    """Return the mean absolute error, in [0, 1], within ``BAND`` pixels of a hole's border inside it, and farther in.

    Args:
        edit: RGB, what was painted.
        truth: RGB, what stood there.
        hole: ``(H, W)`` bool.
    """
    errors = np.abs(np.asarray(edit, dtype=np.float64) - np.asarray(truth, dtype=np.float64)).mean(-1) / 255
    # The picture's own border is none of the mask's.
    inner = binary_erosion(hole, np.ones((3, 3)), iterations=BAND, border_value=1)
    return _mean(errors[hole & ~inner]), _mean(errors[inner])


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")


def _oscillation(bench: Workbench) -> Finding:
    seed, benchmark = bench.config.seed, holes(bench)
    high, cascade = float(bench.config.inpainting_guidance_scale), trained_cascade(bench, "learned")
    arms = [
        bench.scores(bench.contestant(cascade, {"guidance_scale": high, "low_guidance_scale": low}), benchmark)
        for low in (high, 1.0)
    ]
    constant, oscillating = arms
    error, right = (gain(constant, oscillating, metric, seed) for metric in (_ERROR, RIGHT))
    not_worse: Verdict = "does not hold" if right.high is not None and right.high < 0 else "holds"
    is_able = max(float(np.nanmean(arm.of(RIGHT))) for arm in arms) >= LEAST_RIGHT
    unable = f"The cascade paints less than {LEAST_RIGHT:g} of the prompts rightly: train it for longer."
    return Finding(
        effect=error,
        verdict=all_of([is_below(error), not_worse]) if is_able else "undecided",
        controls=(
            Detail(
                label="Error's difference by another item's instruction",
                interval=gain_by_another(constant, oscillating, _ERROR, seed),
            ),
        ),
        details=(
            Detail(label="Right, gain", interval=right),
            *(
                level(f"Right, {name}", arm.of(RIGHT), seed, arm.groups)
                for name, arm in zip(("constant", "oscillating"), arms, strict=True)
            ),
        ),
        note=in_doubt("Difference of errors", error) if is_able else unable,
    )


OBJECT_MASKING = Claim(
    name="imagen-object-masking",
    paper="Imagen Editor",
    sentence="An inpainter that was trained on masks of what captions name paints what is asked more often than one "
    "that was trained on random masks.",
    arms=("random masks", "object masks and their unions with random ones"),
    metric=(
        "Outcome accuracy on tinyworld's EditBench: share of holes in which everything the prompt asks for is right; "
        "paired difference, higher is better. Beside it each attribute."
    ),
    rule="Holds where the intervals of the gain and of the specific gain lie above 0, fails where one lies below it.",
    test=_object_masking,
    limits="Latent inpainters of the same start, data and steps, with true boxes; the paper's are cascades of pixels "
    "with a detector's, judged by people.",
)
LEARNED_DOWNSAMPLING = Claim(
    name="imagen-learned-downsampling",
    paper="Imagen Editor",
    sentence="Learned downsampling of picture and mask leaves fewer seams at the mask's border than bicubic does.",
    arms=("bicubic downsampling", "learned strided convolutions"),
    metric=f"Mean absolute error in the {BAND} pixels inside the mask's border, in [0, 1]; lower is better.",
    rule="Holds where the difference's interval lies below 0, fails where it lies above it.",
    test=_learned_downsampling,
    limits="Cascades of 32 and 64 pixels. The paper shows pictures; the error against the truth stands for its seams.",
)
OSCILLATING_GUIDANCE = Claim(
    name="imagen-oscillating-guidance",
    paper="Imagen Editor",
    sentence="Guidance that oscillates gives truer pictures than constant high guidance, at no loss of alignment.",
    arms=("constant guidance", "guidance that oscillates between it and 1"),
    metric="Mean squared error against the truth on tinyworld's EditBench, lower is better; beside it what is right.",
    rule="Holds where the error's difference lies below 0 and the share of right ones does not clearly fall. Undecided "
    f"where neither arm has {LEAST_RIGHT:g} right: there is no alignment to lose then.",
    test=_oscillation,
    limits="One guidance scale, that of the parameters; the paper shows a frontier.",
)
