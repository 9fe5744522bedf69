"""CLIP metrics against transformers' and torchmetrics' own, on a small CLIP with random weights."""

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_models import tiny_image
from tiny_painter import tiny_clip
from torch.nn.functional import cosine_similarity
from torchmetrics.functional.multimodal import clip_score as torchmetrics_clip_score
from worlds import ColourEncoder

from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem
from editfoundry.evaluation.metrics.edited_batch import open_pictures
from editfoundry.evaluation.metrics.metric_models import MetricModels
from editfoundry.evaluation.metrics.scoring import MetricScorer
from editfoundry.judging.clip_similarity import SAME_CAPTIONS
from editfoundry.pretrained.clip import ClipEncoder
from editfoundry.pretrained.runtime import choose_runtime

CLIP_METRICS = ("clip_score", "clip_image", "clip_direction", "clip_output", "clip_r_precision")
CAPTIONS = [("a red cup", "a blue cup"), ("an egg", "a fried egg"), ("a tree", "a bare tree in snow")]


def item(number, before="a cup", after="a blue cup", truth=None):
    return BenchmarkItem(
        id=f"item-{number}",
        category="add",
        instruction="Do it.",
        input_image=tiny_image(number, (40, 40)),
        input_caption=before,
        output_caption=after,
        truth=truth,
    )


def scored(clip, items, edited, reference="input"):
    return [row.values for row in measured(clip, items, edited, reference)]


def measured(clip, items, edited, reference="input"):
    benchmark = Benchmark(name="b", title="B", items=tuple(items), reference=reference)
    scorer = MetricScorer(MetricModels({"clip": clip}), benchmark, only=CLIP_METRICS)
    return scorer.score([open_pictures(i) for i in items], {"x": edited})[0]["x"]


@pytest.fixture(scope="module")
def clip():
    model, processor = tiny_clip()
    return ClipEncoder("tiny", model, processor, choose_runtime("cpu"))


def test_they_are_instruct_pix2pix_s_formulas_on_transformers_embeddings(clip):
    items = [item(n, *pair, truth=tiny_image(20 + n, (40, 40))) for n, pair in enumerate(CAPTIONS)]
    edited = [tiny_image(10 + n, (48, 40)) for n in range(3)]
    texts = [caption for pair in CAPTIONS for caption in pair]
    pictures = [*(i.open_input() for i in items), *edited, *(i.open_truth() for i in items)]
    with torch.inference_mode():
        made = clip.model(**clip.processor(text=texts, images=pictures, return_tensors="pt", padding=True))
    before, after, target = made.image_embeds.split(3)
    told, shown = made.text_embeds[0::2], made.text_embeds[1::2]
    expected = {
        "clip_score": cosine_similarity(after, shown),
        "clip_output": cosine_similarity(after, shown),
        "clip_image": cosine_similarity(before, after),
        "clip_direction": cosine_similarity(after - before, shown - told),
    }
    found = scored(clip, items, edited)
    for name, values in expected.items():
        assert [row[name] for row in found] == pytest.approx(values.tolist(), abs=1e-4)
    against_truth = [row["clip_image"] for row in scored(clip, items, edited, "truth")]
    assert against_truth == pytest.approx(cosine_similarity(target, after).tolist(), abs=1e-4)


class PlainFeatures:
    """A CLIP that gives features as tensors, as torchmetrics expects; transformers 5 wraps them."""

    def __init__(self, model):
        self.model, self.config = model, model.config

    def to(self, device):
        return self

    def get_image_features(self, pixels):
        return self.model.get_image_features(pixels).pooler_output

    def get_text_features(self, ids, mask):
        return self.model.get_text_features(ids, mask).pooler_output


def test_clip_score_is_torchmetrics_s_over_a_hundred(clip):
    edited = tiny_image(7, (32, 32))
    pixels = torch.from_numpy(np.asarray(edited).copy()).permute(2, 0, 1)
    for caption in ("a b c", "x", "winter tree"):
        found = scored(clip, [item(0, "a", caption)], [edited])[0]["clip_score"]
        theirs = float(torchmetrics_clip_score(pixels, caption, lambda: (PlainFeatures(clip.model), clip.processor)))
        assert max(found, 0) * 100 == pytest.approx(theirs, abs=1e-2)


def test_without_captions_there_is_no_score_and_an_unmoved_picture_has_the_direction_0(clip):
    without, plain = item(0, None, None), item(2)
    first, second = measured(clip, [without, plain], [i.open_input() for i in (without, plain)])
    assert all(first.values[name] is None for name in ("clip_score", "clip_direction", "clip_r_precision"))
    assert first.values["clip_image"] == pytest.approx(1, abs=1e-5)
    assert second.values["clip_direction"] == 0
    assert first.undefined == {"clip_direction": "there is neither input nor output caption"}


@pytest.mark.parametrize("after", ["a cup", "A  cup", "a cup."])
def test_between_equal_captions_the_direction_is_undefined_whatever_the_batch(clip, after):
    same = item(1, "a cup", after)
    for others in ([], [item(2)], [item(n) for n in range(3, 9)]):
        items = [same, *others]
        row = measured(clip, items, [tiny_image(20 + n, (40, 40)) for n in range(len(items))])[0]
        assert row.values["clip_direction"] is None and row.values["clip_score"] is not None
        assert row.undefined["clip_direction"] == SAME_CAPTIONS


def test_r_precision_asks_whether_the_own_caption_fits_best():
    colours = {"red": (255, 0, 0), "blue": (0, 0, 255)}
    items = [item(n, "a thing", f"a {name} thing") for n, name in enumerate(colours)]
    right = [Image.new("RGB", (16, 16), colour) for colour in colours.values()]
    encoder = ColourEncoder()
    assert [row["clip_r_precision"] for row in scored(encoder, items, right)] == [1, 1]
    assert [row["clip_r_precision"] for row in scored(encoder, items, right[::-1])] == [0, 0]
    assert scored(encoder, items[:1], right[:1])[0]["clip_r_precision"] is None
