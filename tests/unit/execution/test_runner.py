"""What is the same for every stage, held once."""

import pytest
from toy_stages import Capitals, Firsts, write_captions

from editfoundry.data.output_folder import MARKER
from editfoundry.data.record import Caption
from editfoundry.data.rejections import read_rejections
from editfoundry.data.tables import read_rows
from editfoundry.errors import BadInputError
from editfoundry.execution.runner import run_stage


@pytest.fixture
def source(tmp_path):
    return write_captions(tmp_path / "in", ["a cat", "a bad cat", "a dog"], ["a hen"], ["bad"])


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def captions(folder):
    return [row.caption for row in read_rows(folder, Caption)]


def test_every_record_comes_out_or_is_rejected_and_nothing_else_is_left(source, tmp_path):
    result = run_stage(Capitals(source), tmp_path / "out")
    assert (result.num_in, result.num_out, result.rejected) == (5, 3, {"bad": 2})
    assert (result.num_shards, result.num_shards_reused) == (3, 0)
    assert captions(tmp_path / "out") == ["A CAT!", "A DOG!", "A HEN!"]
    assert len(list(read_rejections(tmp_path / "out"))) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_a_second_run_loads_nothing_and_changes_nothing(source, tmp_path):
    first = run_stage(Capitals(source), tmp_path / "out")
    before, loaded = files(tmp_path / "out"), Capitals.num_loaded
    again = run_stage(Capitals(source), tmp_path / "out")
    assert again.num_shards_reused == 3 and Capitals.num_loaded == loaded
    assert (again.num_in, again.num_out, again.rejected) == (first.num_in, first.num_out, first.rejected)
    assert files(tmp_path / "out") == before


def test_models_are_loaded_once_for_all_shards(source, tmp_path):
    loaded = Capitals.num_loaded
    run_stage(Capitals(source), tmp_path / "out")
    assert Capitals.num_loaded == loaded + 1


def test_other_parameters_make_every_shard_anew(source, tmp_path):
    run_stage(Capitals(source), tmp_path / "out")
    assert run_stage(Capitals(source, mark="?"), tmp_path / "out").num_shards_reused == 0
    assert captions(tmp_path / "out")[0] == "A CAT?"


@pytest.mark.parametrize("lost", ["00000.parquet", "00000.rejected.parquet", "00002.rejected.parquet"])
@pytest.mark.parametrize("stage", [Capitals, Firsts])
def test_what_was_lost_is_made_again_to_the_same_bytes(source, tmp_path, stage, lost):
    if stage is Firsts:
        write_captions(source, ["a", "a"], ["b"], ["a", "b", "c"])
    run_stage(stage(source), tmp_path / "out")
    before = files(tmp_path / "out")
    (tmp_path / "out" / lost).unlink()
    assert run_stage(stage(source), tmp_path / "out").num_shards_reused == 2
    assert files(tmp_path / "out") == before


def test_damaged_rejections_are_made_again(source, tmp_path):
    run_stage(Capitals(source), tmp_path / "out")
    before = files(tmp_path / "out")
    (tmp_path / "out" / "00000.rejected.parquet").write_bytes(b"cut")
    assert run_stage(Capitals(source), tmp_path / "out").num_shards_reused == 2
    assert files(tmp_path / "out") == before


def test_shards_of_inputs_that_are_gone_and_what_killed_writers_left_are_removed(source, tmp_path):
    output = tmp_path / "out"
    run_stage(Capitals(source), output)
    (source / "00002.parquet").unlink()
    (output / "00002.journal.jsonl").write_text("{}\n")
    (output / ".00001.parquet.4194999.partial").write_bytes(b"half")
    run_stage(Capitals(source), output)
    names = {path.name for path in output.iterdir()}
    assert names == {MARKER, "00000.parquet", "00000.rejected.parquet", "00001.parquet"}


def test_one_shard_alone_has_the_bytes_that_it_has_among_all_and_removes_no_other(source, tmp_path):
    run_stage(Capitals(source), tmp_path / "all")
    result = run_stage(Capitals(source), tmp_path / "out", only="00001")
    assert (result.num_in, result.num_shards) == (1, 1)
    run_stage(Capitals(source), tmp_path / "out", only="00000")
    for name in ("00000.parquet", "00001.parquet"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "all" / name).read_bytes()
    with pytest.raises(BadInputError, match="in: no shard '00009'; run the stage before it"):
        run_stage(Capitals(source), tmp_path / "new", only="00009")
    assert not (tmp_path / "new").exists()


def test_a_shard_that_depends_on_others_is_made_alone_once_they_are_there(tmp_path):
    source, output = write_captions(tmp_path / "in", ["a"], ["a", "b"], ["b", "c"]), tmp_path / "out"
    run_stage(Firsts(source), tmp_path / "all")
    with pytest.raises(BadInputError, match="'00001' depends on those before it, and '00000' is not there"):
        run_stage(Firsts(source), output, only="00001")
    for name in ("00000", "00001"):
        assert run_stage(Firsts(source), output, only=name).num_shards == 1
        assert (output / f"{name}.parquet").read_bytes() == (tmp_path / "all" / f"{name}.parquet").read_bytes()
    assert not (output / "00002.parquet").exists()
    with pytest.raises(BadInputError, match="no shard '00007'"):
        run_stage(Firsts(source), tmp_path / "all", only="00007")


def test_progress_counts_records_within_shards_never_falls_and_ends_once(source, tmp_path):
    told = []
    run_stage(Capitals(source), tmp_path / "out", progress=lambda *numbers: told.append(numbers))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {total for _, total in told} == {5} and {1, 3, 4} <= {done for done, _ in told}
    assert told[0] == (0, 5) and told.count((5, 5)) == 1
    again = []
    run_stage(Capitals(source), tmp_path / "out", progress=lambda *numbers: again.append(numbers))
    assert again == [(3, 5), (4, 5), (5, 5)]


def test_a_stage_that_knows_its_size_tells_progress_though_its_shards_come_one_by_one(tmp_path):
    source, told = write_captions(tmp_path / "in", ["a"], ["a", "b"]), []
    run_stage(Firsts(source), tmp_path / "out", progress=lambda *numbers: told.append(numbers))
    assert told[-1] == (3, 3)


def test_whoever_waits_for_shards_hears_of_each(source, tmp_path):
    names = []
    run_stage(Capitals(source), tmp_path / "out", shard_done=names.append)
    run_stage(Capitals(source), tmp_path / "out", shard_done=names.append)
    assert names == ["00000", "00001", "00002"] * 2


def test_a_stage_that_loses_records_is_a_fault_and_said_so(source, tmp_path):
    with pytest.raises(RuntimeError, match="3 records in, but 0 out and 0 rejected"):
        run_stage(Capitals(source, loses_some=True), tmp_path / "out")


def test_bad_input_is_found_before_the_output_is_touched(tmp_path):
    (tmp_path / "empty").mkdir()
    for stage in (Capitals, Firsts):
        with pytest.raises(BadInputError, match="no Parquet table here"):
            run_stage(stage(tmp_path / "empty"), tmp_path / "out")
    with pytest.raises(BadInputError, match="is the input too"):
        run_stage(Capitals(tmp_path / "empty"), tmp_path / "empty")
    assert not (tmp_path / "out").exists()


def test_output_of_another_input_is_replaced_only_when_that_is_wanted(source, tmp_path):
    other, output = write_captions(tmp_path / "other", ["a fox"]), tmp_path / "out"
    run_stage(Capitals(source), output)
    before = files(output)
    with pytest.raises(BadInputError, match=r"out: holds capitals made of .*/in, not of .*/other; .*--replace"):
        run_stage(Capitals(other), output)
    assert files(output) == before
    run_stage(Capitals(other), output, replace=True)
    assert captions(output) == ["A FOX!"]
    assert run_stage(Capitals(other), output).num_shards_reused == 1


def test_one_shard_of_a_folder_is_the_same_input_as_the_folder(source, tmp_path):
    run_stage(Capitals(source / "00001.parquet"), tmp_path / "out")
    assert run_stage(Capitals(source), tmp_path / "out").num_shards_reused == 1


def test_a_project_that_was_moved_is_not_taken_for_another_input(source, tmp_path):
    run_stage(Capitals(source), tmp_path / "out")
    (tmp_path / "moved").mkdir()
    source.rename(tmp_path / "moved" / "in")
    (tmp_path / "out").rename(tmp_path / "moved" / "out")
    assert run_stage(Capitals(tmp_path / "moved" / "in"), tmp_path / "moved" / "out").num_shards_reused == 3


def test_a_mark_from_before_inputs_were_noted_is_accepted_and_gets_its_input(source, tmp_path):
    output = tmp_path / "out"
    run_stage(Capitals(source), output)
    (output / MARKER).write_text("capitals\n")
    assert run_stage(Capitals(source), output).num_shards_reused == 3
    assert (output / MARKER).read_text() == "capitals\ninput: ../in\n"


@pytest.mark.parametrize("text", ["", "\0\0\0\0", "capi", "\n"])
def test_a_damaged_mark_is_mended_where_the_content_fits(source, tmp_path, caplog, text):
    output = tmp_path / "out"
    run_stage(Capitals(source), output)
    (output / MARKER).write_text(text)
    assert run_stage(Capitals(source), output).num_shards_reused == 3
    assert (output / MARKER).read_text() == "capitals\ninput: ../in\n"
    assert "was damaged" in caplog.text


def test_a_damaged_mark_beside_other_content_is_refused_with_the_way_out(source, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    (output / MARKER).touch()
    (output / "thesis.txt").write_text("mine")
    with pytest.raises(BadInputError, match="damaged.* write 'capitals' into that file"):
        run_stage(Capitals(source), output)
    (output / "thesis.txt").unlink()
    (output / "00000.parquet").write_bytes(b"not a table")
    with pytest.raises(BadInputError, match="damaged"):
        run_stage(Capitals(source), output)
