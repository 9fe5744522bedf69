from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from editfoundry.data.exchange import instruct_pix2pix
from editfoundry.data.exchange.instruct_pix2pix import export_instruct_pix2pix, import_instruct_pix2pix
from editfoundry.data.rejections import RejectedRow, read_rejections
from editfoundry.data.shards import read_triplets, write_triplets
from editfoundry.errors import BadInputError


def smooth(seed: int) -> Image.Image:
    """Return a picture that JPEG keeps nearly as it is."""
    x, y = np.meshgrid(np.arange(32), np.arange(32))
    return Image.fromarray(np.stack([4 * x + seed, 4 * y, 100 + x + y], axis=-1).astype(np.uint8))


@pytest.fixture
def exported(tmp_path, triplet):
    texts = {"instruction": "melt it", "mask": None, "provenance": {"seed": 3, "cfg_scale": 7.5}}
    written = [triplet(n, input_image=smooth(n), output_image=smooth(n + 60), **texts) for n in range(3)]
    written.append(triplet(5))
    write_triplets(tmp_path / "shards" / "00000.tar", written)
    export_instruct_pix2pix(tmp_path / "shards", tmp_path / "out")
    return tmp_path / "out", written


def test_the_export_is_what_instruct_pix2pixs_loader_opens(exported):
    folder, written = exported
    listed = json.loads((folder / "seeds.json").read_text())
    assert [(name, len(seeds)) for name, seeds in listed] == [("0000000", 3), ("0000001", 1)]
    for name, seeds in listed:
        assert set(json.loads((folder / name / "prompt.json").read_text())) == {"input", "edit", "output", "caption"}
        for seed in seeds:
            for side in (0, 1):
                with Image.open(folder / name / f"{seed}_{side}.jpg") as image:
                    assert (image.format, image.mode) == ("JPEG", "RGB")
    lines = (folder / "0000000" / "metadata.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    assert len(lines) == 3 and {str(json.loads(line)["seed"]) for line in lines} == set(listed[0][1])
    assert listed == sorted([name, sorted(seeds)] for name, seeds in listed)
    assert (first["clip_sim_0"], first["clip_sim_dir"], first["cfg_scale"]) == (0.25, 0.5, 7.5)


def test_export_then_import_gives_equal_records_and_nearly_equal_pixels(exported, tmp_path):
    folder, written = exported
    result = import_instruct_pix2pix(folder, tmp_path / "back")
    read = list(read_triplets(tmp_path / "back"))
    assert result.num_out == len(written) == len(read)
    assert [t.input_caption for t in read] == [t.input_caption for t in written]
    # Within a folder the pairs come back by their seeds, which begin as their ids do.
    written = [*sorted(written[:3], key=lambda t: str(int(t.id[:8], 16))), *written[3:]]
    for before, after in zip(written, read, strict=True):
        for name in set(vars(before)) - {"input_image", "output_image", "mask"}:
            assert getattr(before, name) == getattr(after, name)
        assert (before.mask and before.mask.tobytes()) == (after.mask and after.mask.tobytes())
    for before, after in zip(written[:3], read[:3], strict=True):
        pair = np.asarray(before.output_image).astype(int), np.asarray(after.output_image).astype(int)
        assert np.abs(pair[0] - pair[1]).mean() < 1


def test_the_input_caption_may_be_called_caption_or_input(exported, tmp_path):
    folder, _ = exported
    for name, key in (("0000000", "caption"), ("0000001", "input")):
        (folder / name / "prompt.json").write_text(json.dumps({key: f"by {key}", "edit": "e", "output": "o"}))
    import_instruct_pix2pix(folder, tmp_path / "back")
    assert {t.input_caption for t in read_triplets(tmp_path / "back")} == {"by caption", "by input"}


def test_a_folder_without_metadata_is_imported(exported, tmp_path):
    folder, _ = exported
    (folder / "0000000" / "metadata.jsonl").unlink()
    import_instruct_pix2pix(folder, tmp_path / "back")
    first = next(read_triplets(tmp_path / "back"))
    assert first.recipe == "instruct-pix2pix" and first.source.startswith("0000000/")


def test_a_score_that_is_not_a_number_is_left_out(exported, tmp_path):
    folder, _ = exported
    seed = json.loads((folder / "seeds.json").read_text())[0][1][0]
    line = json.dumps({"seed": int(seed), "clip_sim_0": float("nan"), "clip_sim_1": 0.25, "cfg_scale": float("inf")})
    (folder / "0000000" / "metadata.jsonl").write_text(line + "\n")
    import_instruct_pix2pix(folder, tmp_path / "back")
    assert next(read_triplets(tmp_path / "back")).scores == {"clip_output": 0.25}


def test_files_with_a_byte_order_mark_are_read(exported, tmp_path):
    folder, written = exported
    for path in (*folder.rglob("*.json"), *folder.rglob("*.jsonl")):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert import_instruct_pix2pix(folder, tmp_path / "back").num_out == len(written)
    assert [t.scores for t in read_triplets(tmp_path / "back")] == [t.scores for t in written]


def test_every_unusable_pair_is_recorded_with_its_reason(exported, tmp_path):
    folder, _ = exported
    (folder / "good").mkdir()
    for side, seed in ((0, 1), (1, 2)):
        smooth(seed).save(folder / "good" / f"8_{side}.jpg")
    (folder / "good" / "prompt.json").write_text(json.dumps({"edit": "melt it"}))
    (name, (one, two, three)), (other, (four,)) = json.loads((folder / "seeds.json").read_text())
    (folder / name / f"{one}_1.jpg").unlink()
    shutil.copy(folder / name / f"{two}_0.jpg", folder / name / f"{two}_1.jpg")
    smooth(1).resize((8, 8)).save(folder / name / f"{three}_0.jpg")
    (folder / other / "prompt.json").write_text("{}")
    picture = tmp_path / "9_0.jpg"
    smooth(1).save(picture)
    listed = [[name, [one, two, three]], [other, [four]], ["..", ["9"]], [name, ["../../9"]], [str(tmp_path), [9]]]
    listed.append(["good", [8]])
    (folder / "seeds.json").write_text(json.dumps(listed))
    result = import_instruct_pix2pix(folder, tmp_path / "back")
    assert [r.reason for r in read_rejections(tmp_path / "back")] == [
        "missing image",
        "identical pair",
        "size mismatch",
        "no instruction",
        "path leaves folder",
        "path leaves folder",
        "path leaves folder",
    ]
    assert (result.num_in, result.num_out, result.totals) == (8, 1, {"order_not_checkable": 1})


@pytest.mark.parametrize(("seeds", "message"), [(None, "missing"), ("[]", "lists no pair"), ('[["a"]]', "row 1")])
def test_a_folder_that_is_no_instruct_pix2pix_data_set_is_bad_input_and_leaves_nothing(tmp_path, seeds, message):
    (tmp_path / "in").mkdir()
    if seeds is not None:
        (tmp_path / "in" / "seeds.json").write_text(seeds)
    with pytest.raises(BadInputError, match=message):
        import_instruct_pix2pix(tmp_path / "in", tmp_path / "back")
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


def test_folders_and_pictures_are_called_as_the_recipe_numbered_them_and_a_pair_without_survivor_has_its_prompt(
    tmp_path, triplet
):
    def made(number, seed, **other):
        drawn = {"number": number, "candidate_seed": seed, "p2p_threshold": 0.25, "cfg_scale": 9.5}
        captions = {"input_caption": f"cat {number}", "output_caption": f"dog {number}"}
        return triplet(seed, **captions, instruction="e", mask=None, provenance=drawn, **other)

    lost = {"input_caption": "cat 3", "instruction": "e", "output_caption": "dog 3", "number": 3}
    rejected = [RejectedRow("x", "low clip_direction", "", lost)]
    write_triplets(tmp_path / "in" / "00000.tar", [made(7, 30), made(7, 4), made(2, 9)], rejected)
    export_instruct_pix2pix(tmp_path / "in", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "seeds.json").read_text()) == [["0000002", ["9"]], ["0000007", ["30", "4"]]]
    assert [p.name for p in (tmp_path / "out" / "0000003").iterdir()] == ["prompt.json"]
    assert json.loads((tmp_path / "out" / "0000003" / "prompt.json").read_text())["caption"] == "cat 3"
    import_instruct_pix2pix(tmp_path / "out", tmp_path / "back")
    back = list(read_triplets(tmp_path / "back"))
    assert [t.provenance["candidate_seed"] for t in back] == [9, 30, 4]
    assert {(t.provenance["p2p_threshold"], t.provenance["cfg_scale"]) for t in back} == {(0.25, 9.5)}


def test_no_more_of_a_data_set_is_read_for_its_numbers_than_tells_that_there_are_none(tmp_path, monkeypatch):
    texts = {"input_caption": "a cat", "instruction": "e", "output_caption": "a dog"}
    rows = iter([{**texts, "provenance": {}}] * 1000)
    monkeypatch.setattr(instruct_pix2pix, "read_fields", lambda _: rows)
    monkeypatch.setattr(instruct_pix2pix, "read_rejections", lambda _: iter([]))
    assert instruct_pix2pix._numbers(tmp_path) == {} and len(list(rows)) == 999


def test_pairs_of_others_get_the_splits_that_the_release_cuts(exported, tmp_path):
    folder, _ = exported
    for number in range(40):
        place = folder / f"{number:07d}"
        place.mkdir(exist_ok=True)
        (place / "prompt.json").write_text(json.dumps({"caption": "a", "edit": f"melt {number}", "output": "b"}))
        for side in (0, 1):
            smooth(number + 60 * side).save(place / f"1_{side}.jpg", quality=100)
        (place / "metadata.jsonl").unlink(missing_ok=True)
    (folder / "seeds.json").write_text(json.dumps([[f"{number:07d}", [1]] for number in range(40)]))
    import_instruct_pix2pix(folder, tmp_path / "back")
    splits = [t.split for t in read_triplets(tmp_path / "back")]
    assert splits == ["train"] * 36 + ["validation"] * 2 + ["test"] * 2
