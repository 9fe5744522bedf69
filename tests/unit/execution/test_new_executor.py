"""The executor of docs/extending.md."""

from extending_page import example_names
from toy_stages import Capitals, write_captions

from editfoundry.execution.runner import run_stage


def test_the_example_executor_leaves_the_same_bytes(tmp_path):
    source = write_captions(tmp_path / "in", ["a cat", "a bad cat"], ["a hen"])
    executor = example_names("An executor")["two_processes"]
    there = run_stage(Capitals(source), tmp_path / "two", executor=executor)
    assert there == run_stage(Capitals(source), tmp_path / "one")
    files = [{p.name: p.read_bytes() for p in (tmp_path / folder).iterdir()} for folder in ("one", "two")]
    assert files[0] == files[1]
