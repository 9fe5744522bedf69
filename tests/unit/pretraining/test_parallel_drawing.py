"""Many pictures are drawn on all cores, and are the same."""

import numpy as np
import pytest

from editfoundry.execution.runner import run_stage
from editfoundry.pretraining import parallel_drawing
from editfoundry.pretraining.drawn_pictures import cached_array
from editfoundry.pretraining.parallel_drawing import BLOCK, drawn, on_all_cores
from editfoundry.synthesis.tinyworld_tasks.config import TaskTripletConfig
from editfoundry.synthesis.tinyworld_tasks.stage import TaskTripletStage
from editfoundry.tinyworld.scene import render
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene
from editfoundry.tinyworld.tasks.task_sampling import MADE_TASKS


def test_processes_draw_what_one_draws_in_the_same_order(monkeypatch: pytest.MonkeyPatch) -> None:
    scenes = [sample_scene(random_stream("parallel", i)) for i in range(BLOCK + 3)]
    alone = list(drawn(render, scenes))
    monkeypatch.setattr(parallel_drawing, "MIN_PARALLEL", 1)
    monkeypatch.setattr(parallel_drawing, "num_cores", lambda: 2)
    together = list(drawn(render, scenes))
    assert [len(block) for block in together] == [BLOCK, 3]
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_shards_are_the_same_from_all_cores_as_from_one(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = TaskTripletStage(TaskTripletConfig(num_triplets=6, tasks=MADE_TASKS[:2], triplets_per_shard=3))
    for name, cores in (("one", 1), ("two", 2)):
        monkeypatch.setattr(parallel_drawing, "num_cores", lambda cores=cores: cores)
        result = run_stage(stage, tmp_path / name, executor=on_all_cores)
        assert result.num_out == 6
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir() if path.suffix == ".tar"}
        for name in ("one", "two")
    )
    assert len(one) == 2 and one == two


def test_a_cache_is_filled_block_by_block_and_read_back(tmp_path) -> None:
    blocks = [np.full((2, 3), 1), np.full((1, 3), 2)]
    made = cached_array(tmp_path / "a.npy", (3, 3), "uint8", lambda: blocks)
    again = cached_array(tmp_path / "a.npy", (3, 3), "uint8", lambda: pytest.fail("it is there"))
    assert made.tolist() == again.tolist() == [[1] * 3, [1] * 3, [2] * 3]
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]
