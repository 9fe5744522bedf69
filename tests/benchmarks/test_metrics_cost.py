"""Side by side: all metrics of one editor, and the CLIP pass over inputs and outputs that none can do without.

All start from opened pictures and loaded models. A pass over pictures alone is the goal's yardstick; with the captions,
which a benchmark embeds once for all its editors, it is what CLIP must do for one editor. With a judge in the profile,
its one pass over the edits counts everywhere. ``EDITFOUNDRY_BENCH_ITEMS`` sets the number of edits.
"""

from __future__ import annotations

import os

from timing import alternating_seconds, record

from editfoundry.evaluation.benchmarks.reading import read_benchmark
from editfoundry.evaluation.metrics.all_metrics import METRICS
from editfoundry.evaluation.metrics.edited_batch import open_pictures
from editfoundry.evaluation.metrics.metric_models import load_metric_models
from editfoundry.evaluation.metrics.scoring import MetricScorer
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import load_profile

NUM_ITEMS = int(os.environ.get("EDITFOUNDRY_BENCH_ITEMS", "128"))
BATCH_SIZE = 32
GOAL = 1.15


def test_metrics_cost() -> None:
    models = load_metric_models(load_profile("embedded"), choose_runtime("auto"), METRICS)
    benchmark = read_benchmark("tinyworld-world", num_items=NUM_ITEMS)
    pictures = [open_pictures(item) for item in benchmark.items]
    edited = [p.truth for p in pictures]
    clip, judge = models.by_role["clip"], models.by_role.get("vision_language_model")
    judged = MetricScorer(models, benchmark, only=("mllm_bit",))

    captions = sorted({c for item in benchmark.items for c in (item.input_caption, item.output_caption) if c})

    def pictures_pass() -> None:
        for part in _parts():
            clip.encode_images([p.input_image for p in pictures[part]])
            clip.encode_images([image for image in edited[part] if image])
            if judge is not None:
                judged.score(pictures[part], {"truth": edited[part]})

    def whole_pass() -> None:
        pictures_pass()
        clip.encode_texts(captions)

    def metrics() -> None:
        scorer = MetricScorer(models, benchmark)
        for part in _parts():
            scorer.score(pictures[part], {"truth": edited[part]})

    runs = {"CLIP over inputs and outputs": pictures_pass, "the same, and captions": whole_pass, "all metrics": metrics}
    seconds = dict(zip(runs, alternating_seconds(list(runs.values()), repeats=3), strict=True))
    bare, full = list(seconds.values())[:2]
    names = ", ".join(
        name for name, facts in MetricScorer(models, benchmark).described().items() if not facts["missing"]
    )
    remark = "; the judge's pass counts in every row" if judge else ""
    record(
        "Metrics of an editor",
        f"{NUM_ITEMS} edits of 64 x 64 pixels in batches of {BATCH_SIZE}: {names}{remark}. The goal is {GOAL} of CLIP.",
        ["work", "ms an edit", "of CLIP over pictures", "of CLIP with captions"],
        [[name, f"{1000 * s / NUM_ITEMS:.2f}", f"{s / bare:.2f}", f"{s / full:.2f}"] for name, s in seconds.items()],
    )
    assert seconds["all metrics"] <= GOAL * full, seconds


def _parts() -> list[slice]:
    return [slice(start, start + BATCH_SIZE) for start in range(0, NUM_ITEMS, BATCH_SIZE)]
