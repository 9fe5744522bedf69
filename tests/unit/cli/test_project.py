import dataclasses
import sys
from pathlib import Path

import pytest

from editfoundry.lineage.params import load_params

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def demo_params(monkeypatch, tmp_path):
    """Run ``editfoundry demo`` in an empty folder up to its first stage; returns the parameters it would use."""
    from editfoundry.cli import main
    from editfoundry.lineage import demo

    class Stopped(Exception):
        pass

    seen = []

    def stop(params, *_):
        seen.append(params)
        raise Stopped

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "run_demo", stop)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["editfoundry", "demo", *map(str, arguments)])
        with pytest.raises(SystemExit):
            main()
        return seen[-1]

    return call


def test_the_demo_in_an_empty_folder_has_the_shipped_parameters(demo_params):
    assert demo_params() == load_params(REPOSITORY / "params.yaml")


def test_the_demo_of_a_project_has_that_projects_parameters_from_wherever_it_is_started(demo_params, tmp_path):
    text = (REPOSITORY / "params.yaml").read_text()
    shipped = load_params(REPOSITORY / "params.yaml")
    (tmp_path / "params.yaml").write_text(text.replace("device: auto", "device: cpu"))
    assert demo_params() == dataclasses.replace(shipped, device="cpu")
    assert demo_params("--root", tmp_path / "elsewhere") == dataclasses.replace(shipped, device="cpu")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "params.yaml").write_text(text.replace("device: auto", "device: cuda"))
    assert demo_params("--root", tmp_path / "project") == dataclasses.replace(shipped, device="cuda")


def test_init_says_what_it_wrote_and_refuses_to_write_it_twice(monkeypatch, tmp_path, capsys):
    from editfoundry.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["editfoundry", "init", "mine"])
    for status in (0, 2):
        with pytest.raises(SystemExit) as ended:
            main()
        assert int(ended.value.code or 0) == status
    printed = capsys.readouterr()
    assert "project: mine\nfiles: params.yaml, dvc.yaml" in printed.out
    assert "next: cd mine, then editfoundry demo" in printed.out
    assert printed.err.count("\n") == 1 and "holds .dvc already" in printed.err
