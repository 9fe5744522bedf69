import subprocess
import sys

import dagster as dg
import pytest

DEFINITIONS = """\
import dagster as dg

@dg.asset
def first() -> None: ...

@dg.asset(deps=[first])
def second() -> None: ...

@dg.asset(deps=[second])
def third() -> None: ...

defs = dg.Definitions(assets=[first, second, third])
"""


def test_dagsters_parser_of_selections_and_dvcs_settings_work_in_one_environment():
    from omegaconf import OmegaConf

    graph = dg.Definitions(assets=[dg.AssetSpec("first"), dg.AssetSpec("second", deps=["first"])])
    selection = dg.AssetSelection.from_string('key:"second" or key:"first"')
    assert selection.resolve(graph.resolve_asset_graph()) == {dg.AssetKey("first"), dg.AssetKey("second")}
    assert OmegaConf.create({"a": 1, "b": "${a}"}).b == 1


@pytest.mark.slow
def test_dagster_materializes_a_list_of_assets_by_name(tmp_path):
    (tmp_path / "toy.py").write_text(DEFINITIONS)
    command = ["-m", "dagster", "asset", "materialize", "--select", "first,second", "-f", "toy.py"]
    done = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = {name for name in ("first", "second", "third") if f"Materialized value {name}." in done.stderr}
    assert made == {"first", "second"}
