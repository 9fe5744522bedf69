"""The trade-off of InstructPix2Pix, figure 8: how much the picture is kept against how far the edit goes.

``s_T`` is fixed and ``s_I`` swept; x is CLIP directional similarity, y CLIP image similarity with the input.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from editfoundry.errors import BadInputError
from editfoundry.evaluation.json_file import write_json
from editfoundry.evaluation.made_by import MadeBy, made_now
from editfoundry.evaluation.metrics.clip_direction import CLIP_DIRECTION
from editfoundry.evaluation.reports.inlined_pictures import ShownItem, edited_picture, input_picture, truth_pictures
from editfoundry.evaluation.reports.page import write_text
from editfoundry.evaluation.reports.run_results import read_run
from editfoundry.evaluation.reports.run_summary import summarise_run
from editfoundry.evaluation.reports.shown_samples import draw_items
from editfoundry.evaluation.reports.trade_off_page import X, Y, render_trade_off
from editfoundry.judging.clip_similarity import undefined_direction

if TYPE_CHECKING:
    from editfoundry.evaluation.benchmarks.item import Benchmark
    from editfoundry.evaluation.contestants import Contestant
    from editfoundry.evaluation.metrics.metric_models import MetricModels
    from editfoundry.pretrained.runtime import Runtime
    from editfoundry.profiles import Profile

PAPER_GUIDANCE_SCALE = 7.5
NUM_SHOWN = 5
"""Items whose edits the page shows at every scale."""


@dataclass(frozen=True, kw_only=True)
class ScaledEditor:
    """One editor at one strength of the image guidance."""

    editor: str
    image_guidance_scale: float
    contestant: Contestant
    """Called by a name of its own."""


def scaled_editors(
    names: Sequence[str],
    profile: Profile,
    runtime: Runtime,
    image_guidance_scales: Sequence[float],
    *,
    guidance_scale: float = PAPER_GUIDANCE_SCALE,
    options: Mapping[str, Any] | None = None,
) -> list[ScaledEditor]:
    """Return each editor at each scale.

    Args:
        names: as `contestants_by_name` takes them.
        profile: names the models of baselines.
        runtime: device and precision.
        image_guidance_scales: ``s_I``.
        guidance_scale: ``s_T``.
        options: further ones of the sampling.

    Raises:
        BadInputError: there is no scale, a scale twice, an editor that is not there or has no image guidance.
    """
    from editfoundry.evaluation.contestants_by_name import EditorOptions, contestants_by_name

    if not image_guidance_scales or len(set(image_guidance_scales)) < len(image_guidance_scales):
        raise BadInputError("a trade-off needs different image guidance scales, one at least")
    scaled = []
    for scale in image_guidance_scales:
        given = {**(options or {}), "guidance_scale": guidance_scale, "image_guidance_scale": scale}
        for contestant in contestants_by_name(names, profile, runtime, EditorOptions(given=given)):
            if "image_guidance_scale" not in contestant.settings:
                raise BadInputError(f"{contestant.name}: has no image guidance to sweep; name InstructPix2Pix editors")
            renamed = dataclasses.replace(contestant, name=f"{contestant.name}.s_I-{scale:g}")
            scaled.append(ScaledEditor(editor=contestant.name, image_guidance_scale=scale, contestant=renamed))
    return sorted(scaled, key=lambda one: [s.editor for s in scaled].index(one.editor))


def run_trade_off(
    editors: Sequence[ScaledEditor],
    benchmark: Benchmark,
    output: Path,
    *,
    models: MetricModels,
    guidance_scale: float = PAPER_GUIDANCE_SCALE,
    seed: int = 0,
    batch_size: int = 16,
    made: MadeBy | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Edit the benchmark with each editor at each scale and write ``trade_off.html`` and ``trade_off.json``.

    Edits that are in ``output`` are not made again.

    Args:
        editors: each editor at each scale, the scales of one editor in order.
        benchmark: with captions of input and output; its edits are compared with the inputs.
        output: becomes a run folder.
        models: of the metrics; CLIP is needed.
        guidance_scale: ``s_T`` of all of them.
        seed: of the noise and of the resampling.
        batch_size: edits made, and scored, at once.
        made: said at the page's head; by default the time alone.
        progress: called with edits done and edits in all.

    Returns:
        What ``trade_off.json`` holds.

    Raises:
        BadInputError: there is no CLIP model, or no item has both captions.
    """
    from editfoundry.evaluation.benchmark_run import run_benchmark

    if not models.can_measure(CLIP_DIRECTION):
        raise BadInputError(
            f"the trade-off is measured with CLIP: {models.missing.get('clip', 'the profile names none')}"
        )
    if all(undefined_direction(item.input_caption, item.output_caption) for item in benchmark.items):
        raise BadInputError(
            f"{benchmark.name}: no item has the two captions, of input and output and not the same, that CLIP "
            "directional similarity needs"
        )
    against_inputs = dataclasses.replace(benchmark, reference="input")
    contestants = [scaled.contestant for scaled in editors]
    made = made or made_now()
    run_benchmark(
        contestants,
        against_inputs,
        output,
        models=models,
        metrics=(X, Y),
        seed=seed,
        batch_size=batch_size,
        made=made,
        progress=progress,
    )
    trade_off = collect_trade_off(output, editors, guidance_scale, seed)
    write_json(output / "trade_off.json", trade_off)
    write_text(output / "trade_off.html", render_trade_off(trade_off, shown_at_scales(output, editors, seed), made))
    return trade_off


def shown_at_scales(output: Path, editors: Sequence[ScaledEditor], seed: int) -> list[ShownItem]:
    """Return figures of a few items of a run folder, each editor at each scale beside input and truth."""
    run = read_run(output)
    alone = len({scaled.editor for scaled in editors}) == 1
    return [
        ShownItem(
            id=item.id,
            anchor=f"sweep-{item.id}",
            row=item.row,
            instruction=item.instruction,
            images=[
                input_picture(run, item),
                *(
                    edited_picture(
                        run,
                        scaled.contestant.name,
                        item.id,
                        title=("" if alone else f"{scaled.editor}, ") + f"s_I {scaled.image_guidance_scale:g}",
                    )
                    for scaled in editors
                ),
                *truth_pictures(run, item),
            ],
        )
        for item in draw_items(run, seed)[:NUM_SHOWN]
    ]


def collect_trade_off(
    output: Path, editors: Sequence[ScaledEditor], guidance_scale: float, seed: int
) -> dict[str, Any]:
    """Return the curves of a run folder: for each editor and scale both similarities with their intervals."""
    run = read_run(output)
    summary = summarise_run(run, seed)
    curves: dict[str, list[dict[str, Any]]] = {}
    for scaled in editors:
        own = summary[scaled.contestant.name]
        curves.setdefault(scaled.editor, []).append(
            {
                "image_guidance_scale": scaled.image_guidance_scale,
                X: own["overall"][X],
                Y: own["overall"][Y],
                "num_failed": own["num_failed"],
            }
        )
    return {
        "benchmark": run.name,
        "num_items": summary["num_items"],
        "guidance_scale": guidance_scale,
        "seed": seed,
        "clip": run.metrics[X].get("model", ""),
        "preprocessing": run.metrics[X].get("preprocessing", ""),
        "curves": curves,
    }
