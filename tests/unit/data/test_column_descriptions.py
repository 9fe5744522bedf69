import pytest

from editfoundry.data.column_descriptions import column_descriptions
from editfoundry.data.index import SCHEMA
from editfoundry.data.record import Caption, Clip, Quadruple
from editfoundry.data.tables import column_names, write_rows

ROWS = {
    Caption: Caption(caption="a red ball"),
    Clip: Clip(video="a.mp4", video_id="a"),
    Quadruple: Quadruple(
        input_caption="a red ball", instruction="paint it", output_caption="a blue ball", keywords=(), category="change"
    ),
}


@pytest.mark.parametrize("record", ROWS)
def test_every_column_of_a_table_is_described(record, tmp_path):
    write_rows(tmp_path / "0.parquet", [ROWS[record]], record)
    columns = column_names(tmp_path)
    told = column_descriptions(columns)
    assert list(told) == columns
    assert all(text.endswith(".") and "``" not in text and "\n" not in text for text in told.values())


def test_every_column_of_a_shards_index_is_described():
    told = column_descriptions(SCHEMA.names)
    assert list(told) == SCHEMA.names
    assert told["mask_length"] == "Bytes of the mask in the shard's tar."
    assert told["split"] == "train, validation, test, or empty before the data set is split."


def test_columns_of_the_same_name_are_told_apart_by_the_table_that_they_stand_in(tmp_path):
    write_rows(tmp_path / "clips.parquet", [ROWS[Clip]], Clip)
    write_rows(tmp_path / "captions.parquet", [ROWS[Caption]], Caption)
    clip, caption = (column_descriptions(column_names(tmp_path / f"{name}.parquet")) for name in ("clips", "captions"))
    assert "clip" in clip["caption"] and "image" in caption["caption"]


def test_a_table_of_somebody_elses_has_no_descriptions():
    assert column_descriptions(["caption", "likes"]) == {}
