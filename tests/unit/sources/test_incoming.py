import json

import pytest

from editfoundry.data.record import Caption
from editfoundry.data.tables import count_rows, read_rows
from editfoundry.errors import BadInputError
from editfoundry.lineage.params import Params
from editfoundry.lineage.stages import Paths, run_stage
from editfoundry.sources.caption_stage import CaptionParams
from editfoundry.sources.incoming import incoming_tables, take_in
from editfoundry.sources.laion import convert_laion
from editfoundry.sources.laion_filters import LaionFilters
from editfoundry.synthesis.quadruples.config import QuadrupleConfig

FILTERS = LaionFilters()


@pytest.fixture
def incoming(tmp_path):
    folder = tmp_path / "data" / "incoming"
    folder.mkdir(parents=True)
    (folder / "cats.csv").write_text("caption,punsafe\na black cat on a red sofa,0\na white cat in green grass,0\n")
    (folder / "dogs.jsonl").write_text('{"caption": "a brown dog on a sandy beach", "punsafe": 0}\n')
    return folder


def test_each_table_becomes_the_shard_of_its_name_and_is_reused(incoming, tmp_path):
    out = tmp_path / "out"
    first = take_in(incoming, out, FILTERS)
    assert (first.num_in, first.num_shards, first.num_shards_reused) == (3, 2, 0)
    assert [row.caption for row in read_rows(out / "cats.parquet", Caption)][0] == "a black cat on a red sofa"
    before = (out / "cats.parquet").stat().st_mtime_ns
    again = take_in(incoming, out, FILTERS)
    assert (again.num_in, again.num_shards_reused) == (3, 2)
    assert (out / "cats.parquet").stat().st_mtime_ns == before


def test_one_shard_is_made_alone_with_the_bytes_that_all_together_give_it(incoming, tmp_path):
    take_in(incoming, tmp_path / "all", FILTERS)
    take_in(incoming, tmp_path / "one", FILTERS, only="dogs")
    assert [p.name for p in (tmp_path / "one").glob("*.parquet")] == ["dogs.parquet"]
    assert (tmp_path / "one" / "dogs.parquet").read_bytes() == (tmp_path / "all" / "dogs.parquet").read_bytes()
    with pytest.raises(BadInputError, match="no table of the source shard 'birds'"):
        take_in(incoming, tmp_path / "one", FILTERS, only="birds")


def test_a_shard_stays_when_its_table_is_taken_away_and_is_made_anew_when_it_changes(incoming, tmp_path):
    out = tmp_path / "out"
    take_in(incoming, out, FILTERS)
    (incoming / "cats.csv").unlink()
    (incoming / "dogs.jsonl").write_text(
        '{"caption": "a grey dog", "punsafe": 0}\n{"caption": "a dog asleep", "punsafe": 0}\n'
    )
    result = take_in(incoming, out, FILTERS)
    assert (result.num_in, result.num_shards_reused) == (4, 1)
    assert count_rows(out / "cats.parquet") == count_rows(out / "dogs.parquet") == 2


def test_what_arrived_goes_through_the_lineage_beside_the_numbered_shards(incoming, tmp_path):
    params = Params(
        captions=CaptionParams(num_rows=12, rows_per_shard=12), quadruples=QuadrupleConfig(writer="tinyworld")
    )
    result = run_stage("captions", params, tmp_path)
    assert (result.num_in, result.num_shards) == (15, 3)
    alone = run_stage("quadruples", params, tmp_path, only="cats")
    assert alone.num_in == 2
    made = (Paths(tmp_path).quadruples / "cats.parquet").read_bytes()
    whole = run_stage("quadruples", params, tmp_path)
    assert (whole.num_in, whole.num_shards_reused) == (result.num_out, 1)
    assert (Paths(tmp_path).quadruples / "cats.parquet").read_bytes() == made
    with pytest.raises(BadInputError, match="no shard 'birds'"):
        run_stage("quadruples", params, tmp_path, only="birds")


def test_two_tables_of_one_name_are_refused(incoming):
    (incoming / "cats.tsv").write_text("caption\n")
    with pytest.raises(BadInputError, match="cats.tsv: cats.csv is a source shard of the same name"):
        incoming_tables(incoming)


def test_the_numbered_shards_are_replaced_without_those_that_arrived(incoming, tmp_path):
    out = tmp_path / "out"
    take_in(incoming, out, FILTERS)
    for name in ("one", "two"):
        (tmp_path / f"{name}.csv").write_text(f"caption,punsafe\na picture of number {name},0.01\n")
    convert_laion(tmp_path / "one.csv", out, FILTERS)
    take_in(incoming, out, FILTERS)
    with pytest.raises(BadInputError, match="made of .*one.csv, not of .*two.csv"):
        convert_laion(tmp_path / "two.csv", out, FILTERS)
    convert_laion(tmp_path / "two.csv", out, FILTERS, replace=True)
    names = sorted(path.name for path in out.glob("*.parquet"))
    assert names == ["00000.parquet", "cats.parquet", "dogs.parquet"]


def test_tables_that_cannot_be_used_are_set_aside_with_their_reasons_and_the_rest_goes_on(incoming, tmp_path):
    out = tmp_path / "out"
    (incoming / "broken.parquet").write_bytes(b"PAR1 and no more")
    (incoming / "other.csv").write_text("name,price\nfox,3\n")
    (incoming / "unknown.csv").write_text("caption,punsafe\na fox,\n")
    (incoming / "2024.csv").write_text("caption\n")
    result = take_in(incoming, out, FILTERS)
    assert (result.num_out, result.rejected) == (3, {"damaged table": 4})
    reasons = json.loads((out / "set_aside.json").read_text())
    assert set(reasons) == {"broken.parquet", "other.csv", "unknown.csv", "2024.csv"}
    assert "no caption column" in reasons["other.csv"] and "safety unknown 1" in reasons["unknown.csv"]
    with pytest.raises(BadInputError, match="no caption column"):
        take_in(incoming, out, FILTERS, only="other")
    for name in reasons:
        (incoming / name).unlink()
    assert take_in(incoming, out, FILTERS).rejected == {}
    assert not (out / "set_aside.json").exists()


def test_a_shard_stays_while_a_damaged_table_lies_in_the_place_of_its_own(incoming, tmp_path):
    take_in(incoming, tmp_path / "out", FILTERS)
    (incoming / "cats.csv").write_text("nothing")
    result = take_in(incoming, tmp_path / "out", FILTERS)
    assert (result.num_out, result.rejected) == (3, {"damaged table": 1})
