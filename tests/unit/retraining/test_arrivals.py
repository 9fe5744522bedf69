import os

from editfoundry.retraining.arrivals import Seen, arrived_tables, plan_arrivals


def look(tables, seen=None, finished=(), num_running=0, failed=()):
    return plan_arrivals(tables, seen or Seen(), finished, num_running, failed)


def test_new_tables_are_worked_on_once_and_retraining_waits_for_the_last():
    first = look({"a": "1", "b": "1"})
    assert (dict(first.work), first.retrain) == ({"a": "1", "b": "1"}, "")
    waiting = look({"a": "1", "b": "1"}, first.seen, finished={"a"})
    assert (dict(waiting.work), waiting.retrain, waiting.waiting) == ({}, "", ("b",))
    assert not look({"a": "1", "b": "1"}, waiting.seen, finished={"a", "b"}, num_running=1).retrain
    due = look({"a": "1", "b": "1"}, waiting.seen, finished={"a", "b"})
    assert due.retrain
    assert not look({"a": "1", "b": "1"}, due.seen, finished={"a", "b"}).retrain


def test_a_table_that_changed_is_worked_on_again_and_leads_to_another_retraining():
    seen = Seen(requested={"a": "1"}, retrained=look({"a": "1"}, Seen(requested={"a": "1"}), {"a"}).retrain)
    changed = look({"a": "2"}, seen, finished={"a"})
    assert dict(changed.work) == {"a": "2"}
    assert look({"a": "2"}, changed.seen, finished={"a"}).retrain


def test_nothing_there_is_nothing_to_do():
    assert look({}) == plan_arrivals({}, Seen.from_text(Seen().to_text()), (), 0)
    assert not look({}).retrain


def test_a_file_that_may_still_be_written_is_left_for_later(tmp_path):
    (tmp_path / "new.csv").write_text("caption\na dog\n")
    (tmp_path / "notes.txt").write_text("no table")
    (tmp_path / ".hidden.csv").write_text("caption\n")
    assert arrived_tables(tmp_path, settle_seconds=10) == {}
    os.utime(tmp_path / "new.csv", (0, 0))
    assert list(arrived_tables(tmp_path, settle_seconds=10)) == ["new"]
    assert arrived_tables(tmp_path / "absent") == {}


def test_a_damaged_table_does_not_keep_the_others_from_being_retrained_on():
    first = look({"good": "1", "damaged": "1"})
    assert look({"good": "1", "damaged": "1"}, first.seen, finished={"good"}).waiting == ("damaged",)
    due = look({"good": "1", "damaged": "1"}, first.seen, finished={"good"}, failed={"damaged"})
    assert due.retrain and due.waiting == ()
    assert not look({"good": "1", "damaged": "1"}, due.seen, finished={"good"}, failed={"damaged"}).retrain
    mended = look({"good": "1", "damaged": "2"}, due.seen, finished={"good"})
    assert dict(mended.work) == {"damaged": "2"}
    again = look({"good": "1", "damaged": "2"}, mended.seen, finished={"good", "damaged"})
    assert again.retrain and again.retrain != due.retrain


def test_damaged_tables_alone_ask_for_no_retraining():
    first = look({"damaged": "1"})
    assert not look({"damaged": "1"}, first.seen, failed={"damaged"}).retrain


def test_a_table_whose_name_cannot_be_used_is_left_out(tmp_path):
    for name in ("cats.csv", "cats.tsv", "2024.dogs.csv", "00000.parquet", "a.b.csv"):
        (tmp_path / name).write_text("caption\n")
    assert set(arrived_tables(tmp_path, settle_seconds=0)) == {"cats"}
