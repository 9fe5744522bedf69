import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_llava import saved_profile, tiny_llava
from tiny_models import tiny_image
from tiny_painter import tiny_clip

from editfoundry.curation.curate import curate
from editfoundry.curation.curation_config import CurationConfig
from editfoundry.curation.score import score
from editfoundry.curation.score_config import ScoreConfig
from editfoundry.curation.score_filters import ClipThresholds, check_clip
from editfoundry.curation.splits import SplitShares
from editfoundry.data.exchange.editworld import import_editworld
from editfoundry.data.record import Triplet
from editfoundry.data.rejections import read_rejections
from editfoundry.data.shards import read_triplets, write_triplets
from editfoundry.errors import BadInputError, Rejection
from editfoundry.judging import EditPair, JudgeConfig, JudgeThresholds, judge_pairs
from editfoundry.judging.clip_similarity import possible_clip_scores
from editfoundry.pretrained.clip import load_clip
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.vision_language_model import load_vision_language_model
from editfoundry.profiles import load_profile

CPU = choose_runtime("cpu")
CONFIG = ScoreConfig(judge=JudgeConfig(reasons=False), records_per_batch=3)
CLIP_ONLY = ScoreConfig(judge=None)
CLIP = {"clip_input", "clip_output", "clip_image", "clip_direction"}
JUDGE = {"judge_semantic_alignment", "judge_identity_consistency", "judge_image_quality", "judge_success"}
CAPTIONS = {"judge_caption_fit", "judge_caption_contrast"}


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    path = saved_profile(folder, tiny_llava())
    for part in tiny_clip():
        part.save_pretrained(folder / "clip")
    path.write_text(path.read_text() + f'[clip]\nmodel = "{folder / "clip"}"\n')
    return load_profile(path)


def noise(seed: int) -> Image.Image:
    """Coarse random blocks, 32 px: no two look alike."""
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((32, 32), Image.Resampling.NEAREST)


def triplet(seed: int, **changes: object) -> Triplet:
    made = Triplet(
        instruction=f"melt it {seed}",
        input_image=tiny_image(2 * seed),
        output_image=tiny_image(2 * seed + 1),
        input_caption="a cat in sea",
        output_caption="a wet cat in sea",
    )
    return replace(made, **changes)


@pytest.fixture
def source(tmp_path):
    for number in range(2):
        write_triplets(tmp_path / "in" / f"{number:05}.tar", [triplet(4 * number + n) for n in range(4)])
    return tmp_path / "in"


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_every_score_is_filled_in_and_all_else_stays(source, tmp_path, profile):
    result = score(source, tmp_path / "out", CONFIG, profile, "cpu")
    assert (result.num_in, result.num_out, result.num_shards) == (8, 8, 2)
    for before, after in zip(read_triplets(source), read_triplets(tmp_path / "out"), strict=True):
        assert after.id == before.id and set(after.scores) == CLIP | JUDGE | CAPTIONS
        assert after.provenance["scored_by"].keys() == {"clip", "vision_language_model", "judge_prompts"}
        assert (after.input_caption, after.instruction) == (before.input_caption, before.instruction)


def test_the_scores_are_those_of_clip_and_judge_themselves(source, tmp_path, profile):
    score(source, tmp_path / "out", CONFIG, profile, "cpu")
    clip, judge = load_clip(profile, CPU), load_vision_language_model(profile, CPU)
    for scored in read_triplets(tmp_path / "out"):
        before, after = clip.encode_images([scored.input_image, scored.output_image])
        text_before, text_after = clip.encode_texts([scored.input_caption, scored.output_caption])
        moved, meant = after - before, text_after - text_before
        by_hand = {
            "clip_input": before @ text_before,
            "clip_output": after @ text_after,
            "clip_image": before @ after,
            "clip_direction": moved @ meant / (moved.norm() * meant.norm()),
        }
        for name, value in by_hand.items():
            assert scored.scores[name] == pytest.approx(float(value), abs=1e-3), name
        pair = EditPair(
            input_image=scored.input_image,
            output_image=scored.output_image,
            instruction=scored.instruction,
            input_caption=scored.input_caption,
            output_caption=scored.output_caption,
        )
        (judged,) = judge_pairs(judge, [pair], CONFIG.judge)
        found = {name: scored.scores[name] for name in JUDGE | CAPTIONS}
        assert found == pytest.approx(judged.scores, abs=2e-3)


def test_scores_that_are_there_are_kept_and_no_model_is_named_for_them(tmp_path, profile):
    kept = dict.fromkeys(CLIP, 0.5)
    write_triplets(tmp_path / "in" / "00000.tar", [triplet(0, scores=kept), triplet(1, scores={"clip_image": 0.25})])
    score(tmp_path / "in", tmp_path / "out", CLIP_ONLY, profile, "cpu")
    whole, part = read_triplets(tmp_path / "out")
    assert whole.scores == kept and "scored_by" not in whole.provenance
    assert part.scores["clip_image"] == 0.25 and set(part.scores) == CLIP


def test_a_judgement_that_cannot_be_read_rejects_the_triplet_with_what_was_written(source, tmp_path, profile):
    written = replace(CONFIG, judge=JudgeConfig(answers="text", max_new_tokens=4))
    result = score(source, tmp_path / "out", written, profile, "cpu")
    # A random model writes bytes at random.
    assert (result.num_in, result.num_out, result.rejected) == (8, 0, {"unparsable judgement": 8})
    assert all("semantic_alignment: " in row.detail for row in read_rejections(tmp_path / "out"))


def test_a_second_run_loads_no_model_and_touches_nothing(source, tmp_path, profile, monkeypatch):
    score(source, tmp_path / "out", CLIP_ONLY, profile, "cpu")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.*")}
    monkeypatch.delattr("editfoundry.curation.score.load_clip")
    again = score(source, tmp_path / "out", CLIP_ONLY, profile, "cpu")
    assert (again.num_shards_reused, again.num_out) == (2, 8)
    assert {p: t for p, t in before.items() if p.name[0] != "."}.items() <= {
        path: path.stat().st_mtime_ns for path in before
    }.items()


def test_a_run_that_is_killed_goes_on_and_its_bytes_equal_an_undisturbed_runs(source, tmp_path, profile):
    score(source, tmp_path / "whole", CLIP_ONLY, profile, "cpu")
    program = (
        "import sys, os, signal\n"
        "from pathlib import Path\n"
        "from editfoundry.curation.score import score\n"
        "from editfoundry.curation.score_config import ScoreConfig\n"
        "from editfoundry.profiles import load_profile\n"
        "from editfoundry.judging.missing_scores import TripletScorer\n"
        "plain, calls = TripletScorer.add_scores, []\n"
        "def dying(self, batch, rejected):\n"
        "    for number, triplet in enumerate(plain(self, batch, rejected)):\n"
        "        calls.append(number)\n"
        "        if len(calls) == 6: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        yield triplet\n"
        "TripletScorer.add_scores = dying\n"
        "score(Path(sys.argv[1]), Path(sys.argv[2]), ScoreConfig(judge=None), load_profile(sys.argv[3]), 'cpu')\n"
    )
    toml = Path(profile.model("clip").location).parent / "vlm.toml"
    command = [sys.executable, "-c", program, str(source), str(tmp_path / "cut"), str(toml)]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert sorted(p.name for p in (tmp_path / "cut").glob("*.tar")) == ["00000.tar"]
    result = score(source, tmp_path / "cut", CLIP_ONLY, profile, "cpu")
    assert result.num_shards_reused == 1 and files(tmp_path / "cut") == files(tmp_path / "whole")


def test_another_configuration_scores_again_and_a_shard_that_is_gone_goes(source, tmp_path, profile):
    score(source, tmp_path / "out", CLIP_ONLY, profile, "cpu")
    for path in source.glob("00001.*"):
        path.unlink()
    result = score(source, tmp_path / "out", CONFIG, profile, "cpu")
    assert (result.num_shards_reused, result.num_out) == (0, 4)
    assert {p.name for p in (tmp_path / "out").glob("*.tar")} == {"00000.tar"}


def test_the_input_is_never_written_over(source, profile):
    before = files(source)
    with pytest.raises(BadInputError, match="is the input too"):
        score(source, source, CLIP_ONLY, profile, "cpu")
    assert files(source) == before


def test_a_folder_without_shards_is_bad_input(tmp_path, profile):
    with pytest.raises(BadInputError, match="no shard"):
        score(tmp_path, tmp_path / "out", CLIP_ONLY, profile, "cpu")


def write_editworld(folder: Path, count: int, captions: bool) -> Path:
    """EditWorld's published layout: numbered samples of a group and their listing."""
    group = folder / "generated_img" / "group_0"
    group.mkdir(parents=True)
    listing = {}
    for n in range(count):
        for name, seed in (("ori", 2 * n), ("tar", 2 * n + 1)):
            noise(seed).save(group / f"sample{n}_{name}.png")
        listing[f"sample{n}"] = {
            "instuction": f"melt thing {n}",
            "original_img_path": f"generated_img/group_0/sample{n}_ori.png",
            "target_img_path": f"generated_img/group_0/sample{n}_tar.png",
            "original_caption": f"a cat {n}" if captions else "",
            "target_cation": f"a wet cat {n}" if captions else "",
        }
    (group / "img_txt.json").write_text(json.dumps(listing))
    return folder


@pytest.mark.parametrize("captions", [True, False], ids=["captions", "no captions"])
def test_imported_editworld_triplets_survive_scoring_and_curation(tmp_path, profile, captions):
    import_editworld(write_editworld(tmp_path / "theirs", 8, captions), tmp_path / "imported")
    lenient = ClipThresholds(clip_input=-1.0, clip_output=-1.0, clip_image=-1.0, clip_direction=-1.0)
    none = JudgeThresholds(semantic_alignment=1.0, identity_consistency=1.0, image_quality=1.0, success=0.0)
    config = CurationConfig(thresholds=lenient, judge=none, shares=SplitShares(validation=0.2, test=0.2))
    with pytest.raises(BadInputError, match="no score 8"):
        curate(tmp_path / "imported", tmp_path / "unscored", config)
    score(tmp_path / "imported", tmp_path / "scored", CONFIG, profile, "cpu")
    result = curate(tmp_path / "scored", tmp_path / "dataset", config)
    assert (result.num_in, result.num_out, result.rejected) == (8, 8, {})
    names = {name for t in read_triplets(tmp_path / "scored") for name in t.scores}
    assert names == (CLIP | CAPTIONS if captions else {"clip_image"}) | JUDGE


def test_the_judges_thresholds_drop_what_is_below_and_what_has_no_judge_score(tmp_path):
    good = {**dict.fromkeys(CLIP, 0.9), **dict.fromkeys(JUDGE, 5.0), "judge_success": 0.9}
    scores = [*[good] * 9, {**good, "judge_success": 0.4}, dict.fromkeys(CLIP, 0.9)]
    pairs = [{"input_image": noise(2 * n), "output_image": noise(2 * n + 1), "scores": s} for n, s in enumerate(scores)]
    made = [Triplet(instruction="x", input_caption=f"c {n}", **pair) for n, pair in enumerate(pairs)]
    write_triplets(tmp_path / "in" / "00000.tar", made)
    shares = SplitShares(validation=0.0, test=0.0)
    judged = curate(tmp_path / "in", tmp_path / "judged", CurationConfig(judge=JudgeThresholds(), shares=shares))
    assert judged.rejected == {"low judge_success": 1, "no score": 1} and judged.num_out == 9
    assert curate(tmp_path / "in", tmp_path / "plain", CurationConfig(shares=shares)).num_out == 11


def test_a_caption_that_is_absent_excuses_only_the_scores_that_need_it():
    assert possible_clip_scores({"input_caption": "a", "output_caption": " "}) == ("clip_input", "clip_image")
    assert possible_clip_scores({}) == ("clip_image",)
    check_clip({"clip_image": 0.9}, ClipThresholds(), {})
    with pytest.raises(Rejection, match="no score: clip_image"):
        check_clip({}, ClipThresholds(), {})
    with pytest.raises(Rejection, match="low clip_input"):
        check_clip({"clip_image": 0.9, "clip_input": 0.0}, ClipThresholds(), {})


@pytest.mark.parametrize("after", ["a red cup", "A red  cup.", " a RED cup!"])
def test_equal_captions_name_no_direction_and_are_rejected_for_that_and_not_for_a_low_score(after):
    captions = {"input_caption": "a red cup", "output_caption": after}
    assert possible_clip_scores(captions) == ("clip_input", "clip_output", "clip_image")
    good = dict.fromkeys(CLIP, 0.9)
    for scores in (good, {**good, "clip_direction": 0.0}, {n: v for n, v in good.items() if n != "clip_direction"}):
        with pytest.raises(Rejection) as rejected:
            check_clip(scores, ClipThresholds(), captions)
        assert rejected.value.reason == "undefined clip_direction"
    check_clip(good, ClipThresholds(clip_direction=-1.0), captions)
    check_clip(good, ClipThresholds(), {**captions, "output_caption": "a blue cup"})


@pytest.mark.parametrize(("direction", "is_told"), [(-0.3, True), (0.1, False)])
def test_a_pair_that_fits_its_captions_better_the_other_way_round_is_told_so(direction, is_told):
    scores = {"clip_input": 0.3, "clip_output": 0.3, "clip_image": 0.9, "clip_direction": direction}
    with pytest.raises(Rejection) as rejected:
        check_clip(scores, ClipThresholds(), {"input_caption": "a cat", "output_caption": "a dog"})
    assert rejected.value.reason == "low clip_direction"
    assert ("was it swapped?" in rejected.value.detail) == is_told


def test_a_triplet_of_equal_captions_is_scored_without_a_direction_and_counted_by_its_own_reason(tmp_path, profile):
    captions = [("a red cup", "A red cup."), ("a red cup", "a blue cup")]
    made = [
        Triplet(
            instruction="x",
            input_image=noise(2 * n),
            output_image=noise(2 * n + 1),
            input_caption=before,
            output_caption=after,
        )
        for n, (before, after) in enumerate(captions)
    ]
    write_triplets(tmp_path / "in" / "00000.tar", made)
    score(tmp_path / "in", tmp_path / "scored", ScoreConfig(judge=None), profile, "cpu")
    assert [set(t.scores) for t in read_triplets(tmp_path / "scored")] == [CLIP - {"clip_direction"}, CLIP]
    lenient = ClipThresholds(clip_input=-1.0, clip_output=-1.0, clip_image=-1.0, clip_direction=-0.99)
    config = CurationConfig(thresholds=lenient, shares=SplitShares(validation=0.0, test=0.0))
    assert curate(tmp_path / "scored", tmp_path / "dataset", config).rejected == {"undefined clip_direction": 1}


def test_one_shard_is_scored_alone(source, tmp_path, profile):
    score(source, tmp_path / "all", CLIP_ONLY, profile, "cpu")
    result = score(source, tmp_path / "out", CLIP_ONLY, profile, "cpu", only="00001")
    assert result.num_in == 4 and not (tmp_path / "out" / "00000.tar").exists()
    assert (tmp_path / "out" / "00001.tar").read_bytes() == (tmp_path / "all" / "00001.tar").read_bytes()
