"""The stage: a shard in, a shard out, whatever interrupts it."""

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_sdxl
import torch
from tiny_painter import tiny_painter, tiny_quadruples

from editfoundry.data.record import Quadruple
from editfoundry.data.tables import write_rows
from editfoundry.profiles import load_profile
from editfoundry.synthesis.editworld_text.config import TextBranchConfig
from editfoundry.synthesis.editworld_text.stage import synthesize

CONFIG = TextBranchConfig(
    num_input_candidates=1, num_source_candidates=1, num_output_candidates=2, num_refined_candidates=2,
    num_img2img_candidates=1, num_inference_steps=2, records_per_batch=2, attention_resolution=8,
)  # fmt: skip


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from test_stage import CONFIG
from editfoundry.profiles import load_profile
from editfoundry.synthesis.editworld_text.stage import synthesize

source, output, profile = map(Path, sys.argv[1:])
forward, calls = torch.nn.Conv2d.forward, 0

def dying(self, x):
    global calls
    # As soon as the first shard is there, a few steps into the second one.
    calls += (output / "00000.parquet").is_file()
    if calls > 40:
        os.kill(os.getpid(), signal.SIGKILL)
    return forward(self, x)

torch.nn.Conv2d.forward = dying
synthesize(source, output, CONFIG, load_profile(profile), "cpu")
"""


class PowerCutError(Exception):
    """Ends a run without warning."""


@pytest.fixture
def source(tmp_path):
    quadruples = tiny_quadruples(6)
    for number, part in enumerate((quadruples[:3], quadruples[3:])):
        write_rows(tmp_path / "quadruples" / f"{number:05}.parquet", part, Quadruple)
    return tmp_path / "quadruples"


def hashes(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


@pytest.mark.parametrize("num_steps", [1, 15, 30])
def test_a_run_that_is_cut_off_resumes_to_the_same_bytes(branch_profile, source, tmp_path, monkeypatch, num_steps):
    whole = synthesize(source, tmp_path / "whole", CONFIG, branch_profile, "cpu")
    calls, forward = 0, torch.nn.Conv2d.forward

    def failing(self, x):
        nonlocal calls
        # One convolution of a UNet has four channels coming in and sixteen going out.
        calls += self.weight.shape[:2] == (16, 4)
        if calls > num_steps:
            raise PowerCutError
        return forward(self, x)

    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.Conv2d, "forward", failing)
        with pytest.raises(PowerCutError):
            synthesize(source, tmp_path / "cut", CONFIG, branch_profile, "cpu")
    resumed = synthesize(source, tmp_path / "cut", CONFIG, branch_profile, "cpu")
    assert hashes(tmp_path / "cut") == hashes(tmp_path / "whole")
    assert (resumed.num_in, resumed.num_out) == (whole.num_in, whole.num_out) == (6, 6)


def test_a_process_that_is_killed_in_a_shard_resumes_to_the_same_bytes(source, tmp_path):
    profile = tiny_sdxl.save_branch(tmp_path / "models", tiny_painter())
    command = [sys.executable, "-c", KILLED, str(source), str(tmp_path / "cut"), str(profile)]
    here = Path(__file__).parent
    paths = os.pathsep.join(map(str, (here, here.parents[1], here.parents[3] / "src")))
    killed = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, check=False)
    assert killed.returncode == -signal.SIGKILL
    left = hashes(tmp_path / "cut")
    assert "00000.tar" in left and "00001.tar" not in left and any(name.endswith(".partial") for name in left)
    first = (tmp_path / "cut" / "00000.tar").stat().st_mtime_ns
    resumed = synthesize(source, tmp_path / "cut", CONFIG, load_profile(profile), "cpu")
    synthesize(source, tmp_path / "whole", CONFIG, load_profile(profile), "cpu")
    assert resumed.num_shards_reused == 1 and (tmp_path / "cut" / "00000.tar").stat().st_mtime_ns == first
    assert hashes(tmp_path / "cut") == hashes(tmp_path / "whole")


def test_models_are_not_loaded_when_every_shard_is_there(branch_profile, source, tmp_path, monkeypatch):
    synthesize(source, tmp_path / "out", CONFIG, branch_profile, "cpu")
    monkeypatch.setattr("editfoundry.synthesis.editworld_text.stage.load_branch", lambda *_: pytest.fail("loaded"))
    assert synthesize(source, tmp_path / "out", CONFIG, branch_profile, "cpu").num_shards_reused == 2
