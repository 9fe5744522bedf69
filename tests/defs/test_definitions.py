import dagster as dg
import pytest

from dagster_project.definitions import defs as load_defs

LINEAGE = {
    "captions": ("sources", set()),
    "quadruples": ("sources", {"captions"}),
    "editworld_text": ("triplets", {"quadruples"}),
    "dataset": ("dataset", {"editworld_text"}),
    "editworld": ("checkpoints", {"dataset"}),
    "editworld_report": ("reports", {"dataset", "editworld"}),
}


@pytest.fixture(scope="module")
def repository():
    return load_defs().get_repository_def()


@pytest.fixture(scope="module")
def graph(repository):
    return repository.asset_graph


def test_the_lineage_is_whole_and_every_asset_stands_in_its_group(graph):
    found = {
        key.to_user_string(): (graph.get(key).group_name, {k.to_user_string() for k in graph.get(key).parent_keys})
        for key in graph.get_all_asset_keys()
    }
    assert found == LINEAGE


@pytest.mark.parametrize("name", LINEAGE)
def test_every_asset_says_what_it_is_who_owns_it_and_what_it_is_made_with(graph, name):
    node = graph.get(dg.AssetKey(name))
    assert node.description and node.description.endswith(".")
    assert node.owners == ["team:editfoundry"]
    assert any(tag.startswith("dagster/kind/") for tag in node.tags)


def test_checks_that_guard_the_next_stage_block_it(graph):
    blocking = {
        key.name: graph.get(key).blocking for asset in LINEAGE for key in graph.get(dg.AssetKey(asset)).check_keys
    }
    assert blocking == {
        "captions_add_up": True,
        "quadruples_add_up": True,
        "triplets_add_up": True,
        "splits_add_up": True,
        "splits_share_nothing": True,
        "loss_is_finite": True,
        "loss_falls": False,
        "report_is_complete": True,
    }


def test_all_assets_can_run_in_one_go(repository):
    job = repository.get_implicit_global_asset_job_def()
    assert len(job.asset_layer.executable_asset_keys) == len(LINEAGE)


def test_the_foundry_works_in_the_folder_of_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("EDITFOUNDRY_ROOT", str(tmp_path))
    foundry = load_defs().resources["foundry"]
    assert foundry.folder == tmp_path
    assert foundry.paths.captions == tmp_path / "data" / "captions"
