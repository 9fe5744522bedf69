import os
import subprocess
import sys
from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils.launch import prepare_multi_gpu_env
from tiny_models import tiny_unet
from torch.distributed.run import determine_local_world_size

INFRA = Path(__file__).resolve().parents[2] / "infra"
PROBE = "from accelerate import Accelerator; a = Accelerator(); print(a.device, a.num_processes, a.mixed_precision)"


@pytest.mark.parametrize(
    ("name", "distributed_type", "num_processes"),
    [
        ("cpu", "NO", 1),
        ("single_gpu", "NO", 1),
        ("multi_gpu", "MULTI_GPU", "gpu"),
        ("multi_node", "MULTI_GPU", 16),
        ("fsdp", "FSDP", "gpu"),
        ("deepspeed_zero2", "DEEPSPEED", "gpu"),
    ],
)
def test_accelerate_reads_every_configuration(name, distributed_type, num_processes):
    config = load_config_from_file(str(INFRA / "accelerate" / f"{name}.yaml"))
    assert config.distributed_type.value == distributed_type
    assert config.num_processes == num_processes


def test_every_configuration_is_covered_and_turned_into_a_command_by_the_launcher():
    """Accelerate's own parser and launcher, up to where processes would start."""
    for path in sorted((INFRA / "accelerate").glob("*.yaml")):
        command = ["--config_file", str(path), "-m", "editfoundry.editors.train", "c.yaml"]
        args = launch_command_parser().parse_args(command)
        validated, _, _ = _validate_launch_command(args)
        assert (validated.use_fsdp, validated.use_deepspeed) == ("fsdp" in path.stem, "deepspeed" in path.stem)
        if path.stem == "fsdp":
            environment = prepare_multi_gpu_env(validated)
            assert environment["ACCELERATE_USE_FSDP"] == "true" and environment["FSDP_VERSION"] == "2"
            assert environment["FSDP_TRANSFORMER_CLS_TO_WRAP"] == "BasicTransformerBlock,ResnetBlock2D"
        if path.stem == "deepspeed_zero2":
            assert validated.zero_stage == 2
        if path.stem == "multi_node":
            assert (validated.num_machines, validated.num_processes, validated.multi_gpu) == (2, 16, True)


@pytest.mark.parametrize("name", ["multi_gpu", "fsdp"])
def test_all_gpus_of_a_machine_get_a_process_each_unless_fewer_are_asked_for(name, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    for options, expected in (([], 4), (["--num_processes", "2"], 2)):
        command = ["--config_file", str(INFRA / "accelerate" / f"{name}.yaml"), *options, "train.py"]
        validated, _, _ = _validate_launch_command(launch_command_parser().parse_args(command))
        prepare_multi_gpu_env(validated)
        assert determine_local_world_size(validated.nproc_per_node) == expected


def test_the_image_installs_its_dependencies_before_the_source_code_is_copied():
    lines = (INFRA / "docker" / "Dockerfile").read_text().splitlines()
    steps = [line.split(" ", 1) for line in lines if line.startswith(("COPY", "RUN make", "RUN touch"))]
    assert [rest.removeprefix("--chown=foundry:foundry ") for _, rest in steps] == [
        "Makefile requirements.lock ./",
        "make dependencies",
        ". .",
        "touch .venv/.dependencies && make setup",
    ]


def test_the_blocks_that_fsdp_wraps_are_those_of_an_editor():
    names = {type(module).__name__ for module in tiny_unet().modules()}
    config = load_config_from_file(str(INFRA / "accelerate" / "fsdp.yaml"))
    assert set(config.fsdp_config["fsdp_transformer_layer_cls_to_wrap"].split(",")) <= names


def test_the_cpu_configuration_launches_one_process_without_mixed_precision(tmp_path):
    (tmp_path / "probe.py").write_text(PROBE)
    config = str(INFRA / "accelerate" / "cpu.yaml")
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", config, str(tmp_path / "probe.py")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "cpu 1 no"
