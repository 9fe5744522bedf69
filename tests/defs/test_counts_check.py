import dagster as dg
import pytest

from dagster_project.counts_check import check_counts, recorded_counts
from dagster_project.metadata import counts
from editfoundry.data.record import Caption
from editfoundry.data.rejections import RejectedRow, write_rejections
from editfoundry.data.stage_result import StageResult
from editfoundry.data.tables import write_rows


@pytest.fixture
def folder(tmp_path):
    write_rows(tmp_path / "00000.parquet", [Caption(caption=f"a dog {n}") for n in range(3)], Caption)
    write_rejections(tmp_path / "00000.parquet", [RejectedRow("4", "duplicate", "", {})])
    return tmp_path


GOOD = counts(StageResult(num_in=4, num_out=3, rejected={"duplicate": 1}))


def test_counts_that_match_the_disk_pass(folder):
    assert check_counts(GOOD, folder).passed


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"num_in": 5}, "5 read, 3 \\+ 1 accounted for"),
        ({"num_out": 2, "num_in": 3}, "num_out: 2 recorded, 3 on disk"),
        ({"rejected_by_reason": {"unsafe": 1}}, "rejected_by_reason"),
    ],
)
def test_counts_that_do_not_add_up_or_differ_from_the_disk_fail(folder, change, complaint):
    result = check_counts({**GOOD, **change}, folder)
    assert not result.passed
    pytest.raises(ValueError, lambda: (_ for _ in ()).throw(ValueError(result.description))).match(complaint)


def test_a_stage_that_kept_nothing_fails(tmp_path):
    write_rows(tmp_path / "00000.parquet", [], Caption)
    result = check_counts(counts(StageResult(num_in=0, num_out=0)), tmp_path)
    assert not result.passed
    assert result.description == "nothing was kept"


def test_counts_are_read_back_from_the_latest_materialization(folder):
    @dg.asset
    def captions() -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata=counts(StageResult(num_in=4, num_out=3, rejected={"duplicate": 1})))

    with dg.DagsterInstance.ephemeral() as instance:
        assert recorded_counts(instance, "captions") == {}
        dg.materialize([captions], instance=instance)
        assert check_counts(recorded_counts(instance, "captions"), folder).passed
