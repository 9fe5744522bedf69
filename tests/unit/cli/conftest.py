"""Calls of the command line in this process."""

import sys

import pytest


@pytest.fixture
def invoke(monkeypatch, tmp_path, capsys):
    """Run the command line in this process: (exit code, stdout, stderr)."""
    from editfoundry.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["editfoundry", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call
