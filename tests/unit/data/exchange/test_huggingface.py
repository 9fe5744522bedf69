from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from editfoundry.curation.curate import curate
from editfoundry.curation.curation_config import CurationConfig
from editfoundry.curation.score import score
from editfoundry.curation.score_config import ScoreConfig
from editfoundry.curation.score_filters import ClipThresholds
from editfoundry.data.exchange.huggingface import SPLITS, export_huggingface, import_huggingface, split_of_path
from editfoundry.data.rejections import read_rejections
from editfoundry.data.shards import read_triplets, write_triplets
from editfoundry.editors.triplet_training.triplet_pixels import TripletPixels
from editfoundry.errors import BadInputError
from editfoundry.profiles import load_profile


@pytest.fixture
def shards(tmp_path, triplet):
    splits = ["train", "train", "test", "", "validation", "train"]
    written = [triplet(n, split=split) for n, split in enumerate(splits)]
    write_triplets(tmp_path / "shards" / "00000.tar", written[:3])
    write_triplets(tmp_path / "shards" / "00001.tar", written[3:])
    return tmp_path / "shards", written


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_datasets_opens_the_export_with_image_columns_and_splits(shards, tmp_path):
    import datasets

    folder, written = shards
    assert export_huggingface(folder, tmp_path / "out").num_out == 6
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 4, "validation": 1, "test": 1}
    train = loaded["train"]
    assert isinstance(train.features["input_image"], datasets.Image)
    assert isinstance(train.features["edited_image"], datasets.Image)
    assert train[1]["edit_prompt"] == written[1].instruction
    assert train[1]["edited_image"].tobytes() == written[1].output_image.tobytes()
    assert train[1]["mask"].mode == "L" and train[0]["mask"] is None


def test_export_then_import_gives_equal_triplets(shards, tmp_path, same):
    folder, written = shards
    export_huggingface(folder, tmp_path / "out")
    result = import_huggingface(tmp_path / "out", tmp_path / "back")
    assert (result.num_in, result.num_out) == (6, 6)
    read = {t.id: t for t in read_triplets(tmp_path / "back")}
    assert all(same(one, read[one.id]) for one in written)


def test_published_column_names_and_plain_bytes_are_read(tmp_path, triplet):
    (tmp_path / "in").mkdir()
    one = triplet(1)
    row = {"source_img": png(one.input_image), "target_img": {"bytes": png(one.output_image), "path": None}}
    table = pa.Table.from_pylist([{**row, "instruction": "melt it", "original_prompt": "a snowman"}])
    pq.write_table(table, tmp_path / "in" / "validation-00000.parquet")
    import_huggingface(tmp_path / "in", tmp_path / "back")
    (read,) = read_triplets(tmp_path / "back")
    assert (read.instruction, read.input_caption, read.split) == ("melt it", "a snowman", "validation")
    assert read.input_image.tobytes() == one.input_image.tobytes()


def test_every_unusable_pair_is_recorded_with_its_reason(tmp_path, triplet):
    (tmp_path / "in").mkdir()
    good, other = png(triplet(0).input_image), png(triplet(0).output_image)
    small = png(triplet(0).input_image.resize((4, 4)))
    triplet(0).input_image.save(tmp_path / "secret.png")
    pairs = [
        ("melt it", {"bytes": good}, {"bytes": good}),
        ("melt it", {"bytes": good}, {"bytes": small}),
        ("melt it", {"bytes": good}, {"bytes": other[:80]}),
        ("melt it", {"bytes": good}, None),
        ("melt it", {"path": "gone.png"}, {"bytes": other}),
        ("melt it", {"path": "../secret.png"}, {"bytes": other}),
        ("", {"bytes": good}, {"bytes": other}),
        ("melt it", {"bytes": good}, {"bytes": other}),
    ]
    rows = [dict(zip(("edit_prompt", "input_image", "edited_image"), pair, strict=True)) for pair in pairs]
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("edit_prompt", pa.string()), ("input_image", image), ("edited_image", image)])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), tmp_path / "in" / "train.parquet")
    import_huggingface(tmp_path / "in", tmp_path / "back")
    found = list(read_rejections(tmp_path / "back"))
    assert [r.reason for r in found] == [
        "identical pair",
        "size mismatch",
        "unreadable image",
        "missing image",
        "missing image",
        "path leaves folder",
        "no instruction",
    ]
    assert found[1].id == "train.parquet row 2"


def test_a_table_without_the_columns_a_cut_one_and_no_table_are_bad_input(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(BadInputError, match="no Parquet file below it"):
        import_huggingface(tmp_path / "in", tmp_path / "back")
    path = tmp_path / "in" / "train.parquet"
    pq.write_table(pa.table({"input_image": [b"x"], "edit_prompt": ["x"]}), path)
    with pytest.raises(BadInputError, match=r"train\.parquet: no column 'edited_image'"):
        import_huggingface(tmp_path / "in", tmp_path / "back")
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(BadInputError, match=r"train\.parquet: not a whole Parquet file"):
        import_huggingface(tmp_path / "in", tmp_path / "back")


def test_an_output_folder_with_other_content_is_refused(shards, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.doc").write_text("mine")
    with pytest.raises(BadInputError, match="other content"):
        export_huggingface(shards[0], tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("data/test-00000-of-00001.parquet", "test"),
        ("data/train-00000-of-00001-a1b2c3.parquet", "train"),
        ("default/validation/0000.parquet", "validation"),
        ("plain/dev.parquet", "validation"),
        ("my_test_set.parquet", "test"),
        ("test/train-0.parquet", "train"),
        ("latest/contest.parquet", ""),
    ],
)
def test_a_files_split_is_told_from_its_name_or_its_folders(name, split):
    assert split_of_path(name) == split


def test_published_splits_survive_import_score_and_curation_and_training_takes_the_train_split(tmp_path, triplet):
    (tmp_path / "in" / "data").mkdir(parents=True)
    for first, split in ((0, "train"), (20, "validation"), (40, "test")):
        rows = [
            {"input_image": png(one.input_image), "edited_image": png(one.output_image), "edit_prompt": one.instruction}
            for one in (triplet(number) for number in range(first, first + 6))
        ]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "in" / "data" / f"{split}-00000-of-00001.parquet")
    import_huggingface(tmp_path / "in", tmp_path / "imported")
    pixels = TripletPixels(tmp_path / "imported", 8)
    assert pixels.instructions() == [triplet(number).instruction for number in range(6)]
    of_validation = TripletPixels(tmp_path / "imported", 8, split="validation")
    assert of_validation.instructions() == [triplet(number).instruction for number in range(20, 26)]
    everything = ClipThresholds(clip_input=-1, clip_output=-1, clip_image=-1, clip_direction=-1)
    score(tmp_path / "imported", tmp_path / "scored", ScoreConfig(judge=None), load_profile("embedded"), "cpu")
    curate(tmp_path / "scored", tmp_path / "set", CurationConfig(thresholds=everything))
    found = {split: {t.instruction for t in read_triplets(tmp_path / "set" / split)} for split in SPLITS}
    first = {"train": 0, "validation": 20, "test": 40}
    assert found == {split: {triplet(n).instruction for n in range(first[split], first[split] + 6)} for split in SPLITS}
