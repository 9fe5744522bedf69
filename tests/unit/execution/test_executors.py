"""Whoever makes the shards, in whichever order and process, leaves the same bytes."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from toy_stages import Capitals, Firsts, write_captions

from editfoundry.data.record import Quadruple
from editfoundry.data.tables import write_rows
from editfoundry.execution.executors import ShardWorker
from editfoundry.execution.runner import run_stage
from editfoundry.synthesis.quadruples.model_stage import FreeStage, ModelCaptionStage, ModelWriter


def backwards(stage, tasks, tell):
    worker = ShardWorker(stage)
    for task in reversed(list(tasks)):
        yield task.shard.name, worker.make(task, lambda done: None)


def _start(stage):
    global _worker
    _worker = ShardWorker(stage)


def _make(task):
    return task.shard.name, os.getpid(), _worker.make(task, lambda done: None)


class OtherProcesses:
    """Two processes that are started anew and get the stage pickled."""

    def __init__(self):
        self.pids = set()

    def __call__(self, stage, tasks, tell):
        with ProcessPoolExecutor(2, get_context("spawn"), initializer=_start, initargs=(stage,)) as pool:
            for name, pid, result in pool.map(_make, list(tasks)):
                self.pids.add(pid)
                yield name, result


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def source(tmp_path):
    return write_captions(tmp_path / "in", ["a cat", "a bad cat"], ["a hen"], ["a cat", "an owl"])


def test_shards_made_backwards_have_the_same_bytes_and_counts(source, tmp_path):
    forwards = run_stage(Capitals(source), tmp_path / "one")
    assert run_stage(Capitals(source), tmp_path / "two", executor=backwards) == forwards
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_shards_made_in_other_processes_have_the_same_bytes_counts_and_progress(source, tmp_path):
    here = run_stage(Capitals(source), tmp_path / "one")
    told, others = [], OtherProcesses()
    there = run_stage(Capitals(source), tmp_path / "two", executor=others, progress=lambda *n: told.append(n))
    assert there == here and files(tmp_path / "one") == files(tmp_path / "two")
    assert told[-1] == (5, 5) and others.pids and os.getpid() not in others.pids


def test_what_is_there_already_is_not_handed_out(source, tmp_path):
    run_stage(Capitals(source), tmp_path / "out")
    (tmp_path / "out" / "00001.parquet").unlink()
    handed = []

    def noting(stage, tasks, tell):
        listed = list(tasks)
        handed.extend(task.shard.name for task in listed)
        return backwards(stage, listed, tell)

    assert run_stage(Capitals(source), tmp_path / "out", executor=noting).num_shards_reused == 2
    assert handed == ["00001"]


def test_shards_that_depend_on_those_before_stay_here_and_in_order(source, tmp_path):
    def refusing(stage, tasks, tell):
        pytest.fail("was handed out")

    result = run_stage(Firsts(source), tmp_path / "out", executor=refusing)
    assert result.rejected == {"seen": 1}


@pytest.mark.slow
@pytest.mark.parametrize("branch_profile", ["sd"], indirect=True)
def test_the_text_branch_makes_the_same_bytes_in_other_processes(branch_profile, tmp_path):
    from tiny_painter import tiny_quadruples

    from editfoundry.synthesis.editworld_text.config import TextBranchConfig
    from editfoundry.synthesis.editworld_text.stage import TextBranchStage

    for number, quadruple in enumerate(tiny_quadruples(2)):
        write_rows(tmp_path / "in" / f"{number:05}.parquet", [quadruple], Quadruple)
    config = TextBranchConfig(
        num_input_candidates=1,
        num_output_candidates=1,
        num_refined_candidates=0,
        num_inference_steps=1,
        attention_resolution=8,
    )
    stage = TextBranchStage(tmp_path / "in", config, branch_profile, "cpu")
    here = run_stage(stage, tmp_path / "one")
    assert run_stage(stage, tmp_path / "two", executor=OtherProcesses()) == here
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_the_stages_of_a_language_model_can_be_pickled(tmp_path):
    import pickle

    from editfoundry.profiles import load_profile
    from editfoundry.synthesis.quadruples.config import QuadrupleConfig

    writer = ModelWriter(QuadrupleConfig(writer="language_model"), load_profile("embedded"))
    for stage in (ModelCaptionStage(tmp_path, writer), FreeStage(3, writer)):
        assert pickle.loads(pickle.dumps(stage)) == stage
