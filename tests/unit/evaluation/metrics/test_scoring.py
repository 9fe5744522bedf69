"""All metrics of a batch together, with small models of the real classes."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
import torch
import torchvision.models
from tiny_llava import loaded, tiny_llava
from tiny_models import tiny_image
from tiny_painter import tiny_clip
from transformers import ViTConfig, ViTImageProcessor, ViTModel
from worlds import make_cases

from editfoundry.errors import BadInputError
from editfoundry.evaluation.benchmarks.item import Benchmark
from editfoundry.evaluation.benchmarks.tinyworld import item_of_case
from editfoundry.evaluation.metrics import scoring
from editfoundry.evaluation.metrics.all_metrics import METRICS
from editfoundry.evaluation.metrics.edited_batch import open_pictures
from editfoundry.evaluation.metrics.metric_models import MetricModels, load_metric_models
from editfoundry.evaluation.metrics.scoring import MetricScorer
from editfoundry.judging import EditPair, JudgeConfig, judge_pairs
from editfoundry.pretrained.clip import ClipEncoder
from editfoundry.pretrained.dino import DinoEncoder
from editfoundry.pretrained.lpips import load_lpips
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import load_profile

CPU = choose_runtime("cpu")
SIDES = {"height": 32, "width": 32}


class CountingClip(ClipEncoder):
    """Counts how often it is shown each picture and told each caption."""

    seen: Counter = Counter()

    def encode_images(self, images):
        self.seen.update(image.tobytes() for image in images)
        return super().encode_images(images)

    def encode_texts(self, texts):
        self.seen.update(texts)
        return super().encode_texts(texts)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8
    )
    dino = DinoEncoder("tiny-dino", ViTModel(config).eval(), ViTImageProcessor(size=SIDES), CPU)
    with torch.device("meta"):
        features = torchvision.models.alexnet(weights=None).features.state_dict()
    random = {f"features.{name}": torch.randn(value.shape) / 30 for name, value in features.items()}
    torch.save(random, folder / "alexnet-x.pth")
    (folder / "mine.toml").write_text(f'[lpips]\nmodel = "{folder}"\nweight_name = "alexnet-x.pth"\n')
    model, processor = tiny_clip()
    return MetricModels(
        {
            "clip": CountingClip("tiny-clip", model, processor, CPU),
            "dino": dino,
            "lpips": load_lpips(load_profile(folder / "mine.toml"), CPU),
            "vision_language_model": loaded(folder, tiny_llava()),
        }
    )


@pytest.fixture(scope="module")
def benchmark():
    return Benchmark(name="b", title="B", items=tuple(item_of_case(case) for case in make_cases(3)))


def test_every_metric_is_there_and_clip_sees_each_picture_and_caption_once(models, benchmark):
    CountingClip.seen.clear()
    pictures = [open_pictures(item) for item in benchmark.items]
    random = [tiny_image(n, (64, 64)) for n in range(3)]
    editors = {"truth": [p.truth for p in pictures], "random": [*random[:2], None]}
    scorer = MetricScorer(models, benchmark)
    found, bounds = scorer.score(pictures, editors)
    assert all(None not in row.values.values() for row in [*found["truth"], *found["random"][:2]])
    assert set(found["random"][2].values.values()) == {None}
    assert set(found["truth"][0].values) == set(scorer.described())
    assert [row.values["right"] for row in found["truth"]] == [1, 1, 1]
    assert all(row.verdict.sharp for row in found["truth"]) and found["random"][2].verdict is None
    assert [bound["truth"]["clip_score"] for bound in bounds] == [row.values["clip_score"] for row in found["truth"]]
    captions = {c for i in benchmark.items for c in (i.input_caption, i.output_caption)}
    assert all(CountingClip.seen[caption] == 1 for caption in captions)
    assert all(CountingClip.seen[p.input_image.tobytes()] == 1 for p in pictures)
    # Inputs, truths (which one editor returns) and the other editor's two edits.
    assert sum(CountingClip.seen.values()) == len(captions) + 3 + 3 + 2


def test_dino_and_the_judge_say_what_their_own_code_says(models, benchmark):
    pictures = [open_pictures(item) for item in benchmark.items]
    edited = [tiny_image(n, (64, 64)) for n in range(3)]
    rows, _ = MetricScorer(models, benchmark).score(pictures, {"x": edited})
    found = [row.values for row in rows["x"]]
    embeds = models.by_role["dino"].encode_images([*edited, *(p.input_image for p in pictures)]).numpy()
    assert [row["dino"] for row in found] == pytest.approx(np.sum(embeds[:3] * embeds[3:], axis=1), abs=1e-5)
    pairs = [
        EditPair(
            input_image=p.input_image,
            output_image=image,
            instruction=p.item.instruction,
            input_caption=p.item.input_caption,
            output_caption=p.item.output_caption,
        )
        for p, image in zip(pictures, edited, strict=True)
    ]
    for row, said in zip(
        found, judge_pairs(models.by_role["vision_language_model"], pairs, JudgeConfig(reasons=False)), strict=True
    ):
        assert row["mllm_probability"] == pytest.approx(said.success, abs=1e-4)
        assert row["mllm_bit"] == float(said.success > 0.5)
        scales = (said.semantic_alignment, said.identity_consistency, said.image_quality)
        assert [row[f"judge_{name}"] for name in ("semantic", "identity", "quality")] == pytest.approx(scales, abs=1e-4)


def test_each_metric_says_what_it_was_measured_with(models, benchmark):
    described = MetricScorer(models, dataclasses.replace(benchmark, reference="truth")).described()
    assert described["clip_score"]["model"] == "tiny-clip"
    assert described["clip_image"]["label"] == "CLIP image similarity, against the target"
    assert (
        "shortest edge 32 (bicubic), centre crop 32 x 32; captions cut at 24 tokens"
        in (described["clip_score"]["preprocessing"])
    )
    assert described["lpips"]["model"] == "alexnet-x.pth@main" and not described["lpips"]["higher_is_better"]


def test_a_model_that_the_profile_does_not_name_is_missing_and_none_stands_in_for_it(benchmark):
    models = load_metric_models(load_profile("embedded"), CPU, METRICS)
    described = MetricScorer(models, benchmark).described()
    for name, role in (("dino", "dino"), ("lpips", "lpips")):
        assert f"names no model for the role '{role}'" in described[name]["missing"]
    assert described["clip_score"]["missing"] is None
    pictures = [open_pictures(item) for item in benchmark.items]
    [row, *_] = MetricScorer(models, benchmark).score(pictures, {"truth": [p.truth for p in pictures]})[0]["truth"]
    assert row.values["dino"] is None and row.values["lpips"] is None and row.values["clip_score"] > 0


def test_without_ground_truth_there_is_no_outcome(benchmark):
    items = tuple(dataclasses.replace(item, case=None, truth=None) for item in benchmark.items)
    scorer = MetricScorer(MetricModels(), dataclasses.replace(benchmark, items=items, reference="truth"))
    assert "right" not in scorer.described()
    pictures = [open_pictures(item) for item in items]
    [row, *_] = scorer.score(pictures, {"x": [p.input_image for p in pictures]})[0]["x"]
    assert set(row.values.values()) == {None}


@pytest.mark.parametrize("size", [1, 2, 3])
def test_costly_metrics_see_the_controls_of_the_first_items_whatever_the_batch(models, benchmark, size, monkeypatch):
    monkeypatch.setattr(scoring, "NUM_COSTLY_CONTROLS", 1)
    scorer = MetricScorer(models, benchmark, only=("l1", "mllm_bit"))
    found = []
    for part in scoring.batches(benchmark.items, size):
        pictures = [open_pictures(item) for item in part]
        trivial = [{"grey": tiny_image(0, (64, 64))} for _ in pictures]
        found += scorer.score(pictures, {}, trivial)[1]
    for name in ("grey", "truth"):
        assert [set(bounds[name]) for bounds in found] == [{"l1", "mllm_bit"}, {"l1"}, {"l1"}]


def test_only_the_metrics_that_were_asked_for_are_measured_and_an_unknown_one_is_refused(models, benchmark):
    scorer = MetricScorer(models, benchmark, only=("right", "l1"))
    assert list(scorer.described()) == ["right", "l1"]
    with pytest.raises(BadInputError, match="no metric 'nonsense': use right, sharp, right_object"):
        MetricScorer(models, benchmark, only=("nonsense",))
