"""The stage: caption pairs in, pairs of pictures out; everything that falls is there with its reason and its scores."""

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import killed_runs
import numpy as np
import pytest
import tiny_painter
import tiny_sdxl
import torch
from PIL import Image

from editfoundry.curation.score_filters import ClipThresholds
from editfoundry.data.hashing import input_hash
from editfoundry.data.record import Caption
from editfoundry.data.rejections import read_rejections
from editfoundry.data.shards import read_triplets
from editfoundry.data.tables import write_rows
from editfoundry.errors import BadInputError
from editfoundry.judging.pair_scores import BLANK, NOT_FINITE
from editfoundry.lineage.params import load_params
from editfoundry.lineage.stages import check_params, stage_named
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import load_profile
from editfoundry.synthesis.instruct_pix2pix import stage as pair_stage
from editfoundry.synthesis.instruct_pix2pix.caption_pairs import CaptionPair
from editfoundry.synthesis.instruct_pix2pix.choosing import NOT_AMONG_THE_BEST
from editfoundry.synthesis.instruct_pix2pix.config import PairConfig
from editfoundry.synthesis.instruct_pix2pix.models import load_pair_models
from editfoundry.synthesis.instruct_pix2pix.painting import PairPainter, candidate_seed
from editfoundry.synthesis.instruct_pix2pix.stage import TWICE, synthesize_pairs
from editfoundry.tinyworld.captions import scene_from_caption
from editfoundry.tinyworld.scene_sampling import is_held_out

OPEN = ClipThresholds(clip_input=-1, clip_output=-1, clip_image=-1, clip_direction=-1)
CONFIG = PairConfig(
    num_candidates=3, max_kept=2, num_inference_steps=2, thresholds=OPEN, pairs_per_shard=2, pairs_per_batch=2
)
THINGS = ("cat", "dog", "cup", "egg", "hat", "sun")


def row(thing, **other):
    return {"input": f"a {thing} in sea", "edit": f"wet the {thing}", "output": f"a wet {thing} in sea", **other}


def write(path, *rows):
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))
    return path


def hashes(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir() if p.suffix != ".lock"}


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    return load_profile(tiny_painter.save_models(tmp_path_factory.mktemp("models")))


@pytest.fixture
def source(tmp_path):
    return write(tmp_path / "pairs.jsonl", *(row(thing, url=f"https://a.invalid/{thing}") for thing in THINGS[:5]))


def test_every_candidate_comes_out_or_is_rejected_with_its_scores(profile, source, tmp_path):
    result = synthesize_pairs(source, tmp_path / "out", CONFIG, profile, "cpu")
    kept, dropped = list(read_triplets(tmp_path / "out")), list(read_rejections(tmp_path / "out"))
    assert (result.num_in, result.num_out, result.num_derived) == (5, 10, 10)
    assert result.rejected == {NOT_AMONG_THE_BEST: 5} and len(dropped) == 5
    assert {t.recipe for t in kept} == {"instruct-pix2pix"}
    assert [t.source for t in kept[:2]] == ["https://a.invalid/cat"] * 2
    for number, thing in enumerate(THINGS[:5]):
        own = [t for t in kept if t.instruction == f"wet the {thing}"]
        [fallen] = [r.row for r in dropped if r.row["instruction"] == f"wet the {thing}"]
        directions = [t.scores["clip_direction"] for t in own]
        assert directions == sorted(directions, reverse=True)
        assert min(directions) >= fallen["scores"]["clip_direction"]
        assert {t.provenance["number"] for t in own} == {fallen["number"]} == {number}
        drawn = [*(t.provenance for t in own), fallen]
        assert len({one["candidate_seed"] for one in drawn}) == 3
        assert all(0.1 <= one["p2p_threshold"] <= 0.9 and 7.5 <= one["cfg_scale"] <= 15 for one in drawn)
    assert asdict(CONFIG)["num_candidates"] == kept[0].provenance["num_candidates"]


def test_what_is_there_is_taken_and_only_parts_that_changed_are_made_again(profile, source, tmp_path, monkeypatch):
    first = synthesize_pairs(source, tmp_path / "out", CONFIG, profile, "cpu")
    before = hashes(tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(pair_stage, "load_pair_models", lambda *_: pytest.fail("loaded"))
        again = synthesize_pairs(source, tmp_path / "out", CONFIG, profile, "cpu")
    assert again.num_shards_reused == 3
    assert (again.num_in, again.num_derived, again.rejected) == (first.num_in, first.num_derived, first.rejected)
    write(source, *(row(thing, url=f"https://a.invalid/{thing}") for thing in (*THINGS[:4], "sun")))
    assert synthesize_pairs(source, tmp_path / "out", CONFIG, profile, "cpu").num_shards_reused == 2
    after = hashes(tmp_path / "out")
    assert after["00000.tar"] == before["00000.tar"] and after["00002.tar"] != before["00002.tar"]


def paint(output, source, profile):
    """What `killed_runs` does; every convolution is a moment."""
    forward = torch.nn.Conv2d.forward

    def ticking(self, x):
        killed_runs.tick()
        return forward(self, x)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.Conv2d, "forward", ticking)
        synthesize_pairs(Path(source), output, CONFIG, load_profile(Path(profile)), "cpu")


@pytest.mark.slow
def test_killed_at_twenty_random_moments_it_leaves_the_same_bytes(source, tmp_path):
    file = tiny_painter.save_models(tmp_path / "models")
    told = killed_runs.killed_runs(__file__, "paint", tmp_path / "runs", 20, str(source), str(file))
    assert len(told) == 20 and all(run["is_killed"] for run in told)
    assert {run["moment"][0] for run in told} == {killed_runs.FILE, killed_runs.STEP}
    whole = killed_runs.bytes_of(tmp_path / "runs" / "whole")
    assert sum(name.endswith(".tar") for name in whole) == 3
    for number in range(20):
        assert killed_runs.bytes_of(tmp_path / "runs" / f"{number:02}") == whole, told[number]


BAD = {
    "not a row": "[1]",
    "no input caption": {"edit": "e", "output": "o"},
    "no output caption": row("cat", output="  "),
    "no instruction": row("cat", edit=3),
    "equal captions": row("cat", output="A cat in SEA."),
    "mark in text": row("cat", output="a wet cat\nEND and more"),
    "caption too long": row("cat", output="a " * 30 + "cat"),
}


def test_a_caption_pair_that_cannot_be_painted_is_recorded_and_the_rest_goes_on(profile, tmp_path):
    source = write(tmp_path / "bad.jsonl", *BAD.values(), "{broken", row("egg"), row("egg"))
    config = PairConfig(**{**asdict(CONFIG), "thresholds": OPEN, "pairs_per_shard": 50, "max_kept": 3})
    result = synthesize_pairs(source, tmp_path / "out", config, profile, "cpu")
    assert result.rejected == {**dict.fromkeys(BAD, 1), "not a row": 2, TWICE: 1}
    assert result.num_in == 10 and result.num_out == 3
    [long] = [r for r in read_rejections(tmp_path / "out") if r.reason == "caption too long"]
    assert long.detail.startswith("output_caption: ") and long.detail.endswith("at most 24")


def test_both_encoders_of_sdxl_must_take_a_caption(tmp_path):
    painter = tiny_sdxl.tiny_sdxl()
    painter.tokenizer_2.model_max_length = 12
    from editfoundry.errors import Rejection
    from editfoundry.synthesis.instruct_pix2pix.caption_pairs import check_length

    pair = CaptionPair(input_caption="a cat", instruction="wet it", output_caption="a wet cat in sea")
    with pytest.raises(Rejection, match="at most 12"):
        check_length(painter, pair)


@pytest.mark.parametrize(("fill", "reason"), [(float("nan"), NOT_FINITE), (0.0, BLANK)])
def test_a_painter_that_gives_no_numbers_or_black_is_a_recorded_rejection(
    profile, source, tmp_path, monkeypatch, fill, reason
):
    black = Image.fromarray(np.zeros((32, 32, 3), dtype=np.uint8))
    from editfoundry.synthesis.instruct_pix2pix import painting

    sample = painting.sample_pairs
    monkeypatch.setattr(painting, "sample_pairs", lambda *a, **k: tuple(p * fill for p in sample(*a, **k)))
    monkeypatch.setattr(painting, "decode", lambda _, latents: [black] * len(latents))
    result = synthesize_pairs(source, tmp_path / "out", CONFIG, profile, "cpu")
    assert (result.num_out, result.rejected) == (0, {reason: 15})


def test_a_picture_with_something_in_one_colour_alone_is_not_blank(profile, source, tmp_path, monkeypatch):
    from editfoundry.synthesis.instruct_pix2pix import painting

    pixels = np.full((32, 32, 3), 90, dtype=np.uint8)
    pixels[8:24, 8:24, 0] = 200
    monkeypatch.setattr(painting, "decode", lambda _, latents: [Image.fromarray(pixels)] * len(latents))
    assert BLANK not in synthesize_pairs(source, tmp_path / "out", CONFIG, profile, "cpu").rejected


@pytest.mark.parametrize(("attention", "cross", "itself"), [("cross", 5, 0), ("self", 0, 4), ("both", 4, 4)])
def test_attention_is_shared_in_the_drawn_share_of_the_steps(attention, cross, itself, monkeypatch):
    """In p of the steps (the paper), or while p > i / (steps - 1), where self-attention is shared (released code)."""
    from editfoundry.synthesis.instruct_pix2pix import painting

    told, sample = {}, painting.sample_pairs
    monkeypatch.setattr(painting, "sample_pairs", lambda *a, **k: (told.update(k), sample(*a, **k))[1])
    pair = CaptionPair(input_caption="a cat", instruction="wet it", output_caption="a wet cat")
    config = PairConfig(num_candidates=2, num_inference_steps=5, attention=attention)
    [painted] = PairPainter(tiny_painter.tiny_painter()).paint([pair], config)
    shares = torch.tensor([one.share for one in painted])
    for name, of_steps in (("num_cross_steps", cross), ("num_self_steps", itself)):
        torch.testing.assert_close(torch.as_tensor(told[name]) + torch.zeros(2), shares * of_steps)


def test_what_falls_is_counted_by_the_threshold_that_it_misses(profile, source, tmp_path):
    config = PairConfig(**{**asdict(CONFIG), "thresholds": ClipThresholds(clip_image=1.0)})
    result = synthesize_pairs(source, tmp_path / "out", config, profile, "cpu")
    assert result.num_out == 0 and set(result.rejected) <= {"low clip_input", "low clip_output", "low clip_image"}
    assert sum(result.rejected.values()) == 15


@pytest.mark.parametrize("kind", ["sd", "sdxl"])
@pytest.mark.parametrize("attention", ["cross", "self", "both"])
def test_a_candidate_is_the_same_alone_and_among_others(kind, attention):
    painter = PairPainter(tiny_sdxl.PAINTERS[kind]())
    pairs = [
        CaptionPair(input_caption=f"a {t} in sea", instruction="wet it", output_caption=f"a wet {t} in sea")
        for t in THINGS[:2]
    ]
    config = PairConfig(num_candidates=2, num_inference_steps=3, attention=attention)
    together = painter.paint(pairs, config)
    alone = painter.paint(pairs[1:], PairConfig(num_candidates=1, num_inference_steps=3, attention=attention))
    one, other = together[1][0], alone[0][0]
    assert (one.seed, one.share, one.guidance_scale) == (other.seed, other.share, other.guidance_scale)
    assert one.seed == candidate_seed(0, pairs[1].id, 0) < 2**32
    for side in ("before", "after"):
        difference = np.asarray(getattr(one, side)).astype(int) - np.asarray(getattr(other, side))
        assert np.abs(difference).max() <= 1


def test_share_and_scale_are_drawn_after_the_noise_from_the_candidates_seed():
    painter = PairPainter(tiny_painter.tiny_painter())
    pair = CaptionPair(input_caption="a cat", instruction="wet it", output_caption="a wet cat")
    [[one]] = painter.paint([pair], PairConfig(num_candidates=1, num_inference_steps=1))
    generator = torch.Generator().manual_seed(one.seed)
    torch.randn(4, 16, 16, generator=generator)
    p, scale = torch.rand(2, generator=generator).tolist()
    assert one.share == pytest.approx(0.1 + 0.8 * p) and one.guidance_scale == pytest.approx(7.5 + 7.5 * scale)


def test_tinyworlds_captions_get_a_true_plain_edit_each(profile, tmp_path):
    captions = [Caption(caption="a full glass on the right on a beach at sunset", url="https://a.invalid/1")]
    captions.append(Caption(caption="a cat of no world"))
    write_rows(tmp_path / "captions" / "00000.parquet", captions, Caption)
    from editfoundry.synthesis.instruct_pix2pix.caption_parts import caption_parts, edit_captions

    [(name, part)] = caption_parts(tmp_path / "captions", 10)
    assert (name, part.count) == ("00000", 2)
    for seed in range(6):
        (_, pair, _), (_, none, _) = edit_captions(part, seed)
        assert pair.category in ("add", "change", "remove") and pair.input_caption == captions[0].caption
        assert not is_held_out(scene_from_caption(pair.output_caption)) and none.reason == "not a tinyworld caption"
    assert len({next(edit_captions(part, seed))[1].instruction for seed in range(6)}) > 2


def test_a_number_of_caption_pairs_is_taken_from_the_first_ones(profile, source, tmp_path):
    config = PairConfig(**{**asdict(CONFIG), "thresholds": OPEN, "num_caption_pairs": 3})
    assert synthesize_pairs(source, tmp_path / "out", config, profile, "cpu").num_in == 3


@pytest.mark.parametrize(
    "wrong", [{"num_candidates": 0}, {"attention": "none"}, {"min_share": 0.95}, {"min_guidance_scale": 20.0}]
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(BadInputError, match=next(iter(wrong))):
        PairConfig(**wrong)


def test_an_input_that_holds_no_captions_is_told(profile, tmp_path):
    empty = write(tmp_path / "none.jsonl")
    with pytest.raises(BadInputError, match="holds no row"):
        synthesize_pairs(empty, tmp_path / "out", CONFIG, profile, "cpu")


def test_the_models_are_named_in_what_they_make(profile):
    models = load_pair_models(profile, choose_runtime("cpu"), CONFIG)
    assert set(models.provenance) == {"text_to_image", "clip"} and models.judge is None


class Contrasting:
    """Finds the second caption likelier than the first by five nats for a cat, by one for anything else."""

    def __init__(self):
        self.num_asked = 0

    def log_likelihoods(self, images, prompts, answers):
        self.num_asked += len(answers)
        return torch.tensor([(5.0 if "cat" in text else 1.0) * ("wet" in text) for text in answers])


def with_judge(monkeypatch):
    """Have the stage load a judge that is no model."""
    judge, load = Contrasting(), pair_stage.load_pair_models
    monkeypatch.setattr(
        pair_stage, "load_pair_models", lambda *args: replace(load(args[0], args[1], CONFIG), judge=judge)
    )
    return judge


def test_a_candidate_whose_captions_the_judge_does_not_tell_apart_is_rejected_with_its_nats(
    profile, source, tmp_path, monkeypatch
):
    judge = Contrasting()
    load = pair_stage.load_pair_models
    monkeypatch.setattr(
        pair_stage, "load_pair_models", lambda *args: replace(load(args[0], args[1], CONFIG), judge=judge)
    )
    config = replace(CONFIG, caption_contrast=2.0)
    own = replace(profile, models={**profile.models, "vision_language_model": profile.model("clip")})
    result = synthesize_pairs(source, tmp_path / "out", config, own, "cpu")
    assert result.rejected == {"low judge_caption_contrast": 12, NOT_AMONG_THE_BEST: 1} and judge.num_asked == 30
    kept = list(read_triplets(tmp_path / "out"))
    assert {(t.instruction, t.scores["judge_caption_contrast"]) for t in kept} == {("wet the cat", 5.0)}
    assert kept[0].provenance["caption_contrast"] == 2.0
    fallen = [r for r in read_rejections(tmp_path / "out") if r.reason == "low judge_caption_contrast"]
    assert {(r.detail, r.row["scores"]["judge_caption_contrast"]) for r in fallen} == {("1.0 < 2.0", 1.0)}


def test_what_clip_drops_the_judge_is_not_asked_about(profile, source, tmp_path, monkeypatch):
    judge = Contrasting()
    load = pair_stage.load_pair_models
    monkeypatch.setattr(
        pair_stage, "load_pair_models", lambda *args: replace(load(args[0], args[1], CONFIG), judge=judge)
    )
    own = replace(profile, models={**profile.models, "vision_language_model": profile.model("clip")})
    config = replace(CONFIG, caption_contrast=2.0, thresholds=replace(OPEN, clip_image=1.0))
    result = synthesize_pairs(source, tmp_path / "out", config, own, "cpu")
    assert result.rejected == {"low clip_image": 15} and judge.num_asked == 0


def test_pairs_that_no_judge_was_asked_about_keep_their_hash_and_say_nothing_of_one(profile, source, tmp_path):
    assert (
        input_hash(CONFIG)
        == input_hash(replace(CONFIG, caption_contrast=None))
        != input_hash(replace(CONFIG, caption_contrast=0.0))
    )
    synthesize_pairs(source, tmp_path / "out", CONFIG, profile, "cpu")
    assert "caption_contrast" not in next(iter(read_triplets(tmp_path / "out"))).provenance


def test_a_judge_behind_an_endpoint_is_refused_before_anything_is_painted(tmp_path):
    (tmp_path / "mine.toml").write_text(
        '[text_to_image]\nmodel = "package:text_to_image"\n[clip]\nmodel = "package:clip"\n'
        '[vision_language_model]\nmodel = "endpoint:judge"\n[vision_language_model.options]\nbase_url = "http://a.invalid"\n'
    )
    (tmp_path / "params.yaml").write_text(
        f"profile: {tmp_path / 'mine.toml'}\ninstruct_pix2pix_pairs: {{caption_contrast: 1.5}}\n"
    )
    params = load_params(tmp_path / "params.yaml")
    with pytest.raises(BadInputError, match="caption_contrast is set, but vision_language_model is an endpoint"):
        check_params(params, tmp_path, stages=[stage_named("instruct_pix2pix_pairs")])
