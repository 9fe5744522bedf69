"""EditBench's two CLIP metrics on embeddings whose figures can be worked out by hand."""

import numpy as np
import pytest
import torch
from PIL import Image
from worlds import COLOURS, ColourEncoder

from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem
from editfoundry.evaluation.metrics.edited_batch import open_pictures
from editfoundry.evaluation.metrics.metric_models import MetricModels
from editfoundry.evaluation.metrics.scoring import MetricScorer

METRICS = ("editbench_clip_score", "editbench_r_precision")
HOLE = (4, 4, 12, 12)


def item(number, prompt, compares, category="Mask-Simple"):
    mask = Image.new("L", (32, 32))
    mask.paste(255, HOLE)
    return BenchmarkItem(
        id=f"item-{number}",
        category=category,
        instruction=prompt,
        output_caption=prompt,
        input_image=Image.new("RGB", (32, 32)),
        mask=mask,
        compares=compares,
    )


def scored(encoder, items, edits, seed=0):
    benchmark = Benchmark(name="b", title="B", items=tuple(items))
    scorer = MetricScorer(MetricModels({"clip": encoder}), benchmark, seed, only=METRICS)
    rows = scorer.score([open_pictures(i) for i in items[: len(edits)]], {"x": edits})[0]["x"]
    return [row.values for row in rows]


def test_a_mask_prompt_is_held_against_the_hole_alone_and_a_full_prompt_against_the_picture():
    (inside, blue), (outside, green) = [(name, COLOURS[name]) for name in list(COLOURS)[:2]]
    edit = Image.new("RGB", (32, 32), green)
    edit.paste(blue, HOLE)
    items = [item(0, inside, "mask-crop"), item(1, outside, "mask-crop"), item(2, outside, "picture", "Full")]
    hole, wrong, whole = scored(ColourEncoder(), items, [edit] * 3)
    embeds = ColourEncoder().encode_images([Image.new("RGB", (8, 8), blue), edit])
    texts = ColourEncoder().encode_texts([inside, outside])
    assert hole["editbench_clip_score"] == pytest.approx(float(embeds[0] @ texts[0]), abs=1e-6)
    assert wrong["editbench_clip_score"] == pytest.approx(float(embeds[0] @ texts[1]), abs=1e-6)
    assert whole["editbench_clip_score"] == pytest.approx(float(embeds[1] @ texts[1]), abs=1e-6)
    assert (hole["editbench_r_precision"], wrong["editbench_r_precision"]) == (1, 0)
    assert whole["editbench_r_precision"] is None, "no other full prompt to choose from"


class Ranked:
    """Every picture fits prompt 0 with 0.5, the prompts from 1 to ``num_better`` better and all others worse."""

    name = "ranked"

    def __init__(self, num_better):
        self.num_better = num_better

    def encode_images(self, images):
        return torch.tensor([[1.0, 0.0]] * len(images))

    def encode_texts(self, texts):
        numbers = [int(text.split()[-1]) for text in texts]
        fits = np.array([0.5 if n == 0 else 0.9 if n <= self.num_better else 0.1 for n in numbers])
        return torch.tensor(np.stack([fits, np.sqrt(1 - fits**2)], axis=1))


def share_found(num_better, num_prompts=150, seed=0):
    items = [item(n, f"prompt {n}", "mask-crop") for n in range(num_prompts)]
    return scored(Ranked(num_better), items, [Image.new("RGB", (32, 32))], seed)[0]["editbench_r_precision"]


def test_r_precision_is_the_share_of_ten_draws_of_99_that_hold_no_better_prompt():
    assert share_found(0) == 1
    assert share_found(51) == 0, "of 149 others only 98 fit worse"
    shares = [share_found(1, seed=seed) for seed in range(60)]
    assert {round(10 * share, 6) % 1 for share in shares} == {0}
    # The one better prompt is left out of a draw with probability 50 / 149.
    assert np.mean(shares) == pytest.approx(50 / 149, abs=4 * np.sqrt(0.336 * 0.664 / 600))
    assert share_found(1, seed=3) == share_found(1, seed=3)


def test_fewer_than_99_other_prompts_are_all_taken():
    assert share_found(1, num_prompts=20) == 0 and share_found(0, num_prompts=20) == 1


@pytest.mark.parametrize("metric", ["editbench_r_precision", "clip_r_precision"])
def test_of_which_texts_an_edit_finds_its_own_is_part_of_how_it_was_measured(metric):
    def described(prompts):
        benchmark = Benchmark(name="b", title="B", items=tuple(item(n, p, "picture") for n, p in enumerate(prompts)))
        models = MetricModels({"clip": ColourEncoder()})
        return MetricScorer(models, benchmark, only=[metric]).described()[metric]["preprocessing"]

    three = described(["a cup", "a dog", "a cat"])
    assert three == described(["a cat", "a cup", "a dog", "a cup"])
    assert "of 3 texts" in three and len({three, described(["a cup", "a dog", "a hen"]), described(["a cup"])}) == 3
