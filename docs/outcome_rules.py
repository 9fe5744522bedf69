"""Prints what pictures that no editor made get by the rule of outcome accuracy, and by the one before it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from editfoundry.evaluation.benchmarks.reading import read_benchmark
from editfoundry.evaluation.controls import REFERENCE_LABELS, TRUTH, TrivialPictures
from editfoundry.evaluation.metrics.edited_batch import open_pictures
from editfoundry.tinyworld.benchmark import case_of_edit
from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.edits import sample_plain_edit
from editfoundry.tinyworld.outcome import changed_region, judge_outcome
from editfoundry.tinyworld.scene import render
from editfoundry.tinyworld.scene_sampling import GROUNDS, OFFSETS, random_stream
from editfoundry.tinyworld.wrong_outcomes import NUM_MIXED_OUTCOMES, shows

BENCHMARKS = ("tinyworld-world", "tinyworld-plain")
SEED = 0


def outcome_rules() -> str:
    """Return a Markdown table: a row for each trivial picture, both rules on each benchmark."""
    columns = {name: _shares(name) for name in BENCHMARKS}
    counts = {name: found.pop("count") for name, found in columns.items()}
    heads = [f"{name} (n {counts[name][0]:.0f}), {rule}" for name in BENCHMARKS for rule in ("before", "now")]
    lines = [f"| | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    for picture, label in REFERENCE_LABELS.items():
        cells = [f"{share:.2f}" for name in BENCHMARKS for share in columns[name][picture]]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def allowed_places(count: int = 100) -> str:
    """Return a line: what things get that are added perfectly, at another place that the instruction allows."""
    rights: list[tuple[bool, bool]] = []
    for number in range(count):
        random = random_stream("allowed-places", number)
        edit = sample_plain_edit(random, "test", "add")
        while not shows(edit):
            edit = sample_plain_edit(random, "test", "add")
        case = case_of_edit(str(number), edit, random)
        index = next(i for i, thing in enumerate(edit.after.objects) if thing not in edit.before.objects)
        dx, ground = float(random.uniform(*OFFSETS)), float(random.uniform(*GROUNDS))
        elsewhere = render(edit.after.with_object(index, dx=dx, ground=ground))
        strict = replace(case, open_outputs=None)
        rights.append((judge_outcome(elsewhere, strict).right, judge_outcome(elsewhere, case).right))
    one_truth, now = np.mean(rights, axis=0)
    return f"Of {count} things added at another allowed place, by one truth {one_truth:.2f} are right, now {now:.2f}."


def _shares(name: str) -> dict[str, tuple[float, ...]]:
    """Return picture -> share right by the rule before and by the rule now."""
    benchmark = read_benchmark(name, None, seed=SEED)
    trivial = TrivialPictures(benchmark, SEED)
    right: dict[str, list[tuple[bool, bool]]] = {picture: [] for picture in REFERENCE_LABELS}
    for item in benchmark.items:
        pictures, case = open_pictures(item), item.case
        assert case is not None, f"{item.id}: tinyworld knows the truth of all its items"
        for picture, image in {**trivial.of(pictures), TRUTH: pictures.truth}.items():
            assert image is not None, f"{item.id}: there is no picture {picture!r}"
            right[picture].append((_right_before(image, case), judge_outcome(np.asarray(image), case).right))
    shares = {picture: tuple(np.mean(found, axis=0).tolist()) for picture, found in right.items()}
    return {**shares, "count": (float(len(benchmark.items)),)}


def _right_before(image: Image.Image, case: EditCase) -> bool:
    """Whether a picture is nearest to the truth among the input and three wrong outcomes, whatever its error."""
    region = changed_region(case.input_image, case.true_output)
    outcomes = np.stack([case.input_image, *case.wrong_outputs[:NUM_MIXED_OUTCOMES], case.true_output])
    distances = np.square(outcomes[:, region].astype(np.float64) - np.asarray(image)[region]).sum(axis=(1, 2))
    return int(distances.argmin()) == len(outcomes) - 1


if __name__ == "__main__":
    print(outcome_rules())
    print()
    print(allowed_places())
