import os
import subprocess
import sys
from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file

INFRA = Path(__file__).resolve().parents[2] / "infra"
PROBE = "from accelerate import Accelerator; a = Accelerator(); print(a.device, a.num_processes, a.mixed_precision)"


@pytest.mark.parametrize(
    ("name", "distributed_type", "num_processes"),
    [("cpu", "NO", 1), ("single_gpu", "NO", 1), ("multi_gpu", "MULTI_GPU", 2)],
)
def test_accelerate_reads_every_configuration(name, distributed_type, num_processes):
    config = load_config_from_file(str(INFRA / "accelerate" / f"{name}.yaml"))
    assert config.distributed_type.value == distributed_type
    assert config.num_processes == num_processes


def test_the_cpu_configuration_launches_one_process_without_mixed_precision(tmp_path):
    (tmp_path / "probe.py").write_text(PROBE)
    config = str(INFRA / "accelerate" / "cpu.yaml")
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", config, str(tmp_path / "probe.py")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "cpu 1 no"
