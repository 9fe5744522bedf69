import subprocess
import sys

import dagster as dg
import pytest

from dagster_project.definitions import FORKED
from dagster_project.definitions import defs as load_defs

LINEAGE = {
    "captions": ("sources", set()),
    "quadruples": ("sources", {"captions"}),
    "editworld_text": ("triplets", {"quadruples"}),
    "clips": ("sources", set()),
    "frame_pairs": ("triplets", {"clips"}),
    "editworld_video": ("triplets", {"clips", "frame_pairs"}),
    "rehearsal": ("triplets", set()),
    "dataset": ("dataset", {"editworld_text", "editworld_video", "rehearsal"}),
    "editworld": ("checkpoints", {"dataset"}),
    "editworld_report": ("reports", {"dataset", "editworld"}),
    "champion_gate": ("reports", {"editworld", "editworld_report"}),
    "instruct_pix2pix_pairs": ("triplets", {"captions"}),
    "instruct_pix2pix": ("checkpoints", {"instruct_pix2pix_pairs"}),
    "instruct_pix2pix_report": ("reports", {"instruct_pix2pix"}),
    "emu_edit_pairs": ("triplets", {"captions"}),
    "emu_edit": ("checkpoints", {"emu_edit_pairs"}),
    "emu_edit_report": ("reports", {"emu_edit"}),
    "expressive": ("triplets", {"dataset"}),
    "mgie": ("checkpoints", {"expressive"}),
    "mgie_report": ("reports", {"mgie"}),
    "captioned_pictures": ("sources", set()),
    "imagen_editor": ("checkpoints", {"captioned_pictures"}),
    "imagen_editor_report": ("reports", {"imagen_editor"}),
}
BESIDE = {"source_shards": ("sources", set()), "claims_report": ("reports", {"editworld"})}
"""What no click on "Materialize all" makes, but a job of its own."""


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
    assert found == {**LINEAGE, **BESIDE}


@pytest.mark.parametrize("name", {**LINEAGE, **BESIDE})
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
        "no_image_is_missing": True,
        "clips_add_up": True,
        "frame_pairs_add_up": True,
        "video_triplets_add_up": True,
        "no_video_image_is_missing": True,
        "rehearsal_add_up": True,
        "rehearsal_has_its_images": True,
        "categories_are_balanced": True,
        "judge_passes_some": True,
        "no_picture_is_missing": True,
        "no_regression": False,
        "splits_add_up": True,
        "splits_share_nothing": True,
        "loss_is_finite": True,
        "loss_falls": True,
        "report_is_complete": True,
        "instruct_pix2pix_pairs_add_up": True,
        "instruct_pix2pix_pairs_has_its_images": True,
        "emu_edit_pairs_add_up": True,
        "emu_edit_pairs_has_its_images": True,
        "every_task_has_pairs": False,
        "expressive_add_up": True,
    }
    for asset, (group, _) in LINEAGE.items():
        names = {key.name for key in graph.get(dg.AssetKey(asset)).check_keys}
        assert group != "checkpoints" or names == {"loss_is_finite", "loss_falls"}
        assert group != "reports" or names in ({"report_is_complete"}, {"no_regression"})


def test_all_assets_can_run_in_one_go(repository):
    job = repository.get_implicit_global_asset_job_def()
    assert len(job.asset_layer.executable_asset_keys) == len(LINEAGE)


@pytest.mark.parametrize(
    ("job", "line"),
    [
        ("instruct_pix2pix_line", {"instruct_pix2pix_pairs", "instruct_pix2pix", "instruct_pix2pix_report"}),
        ("emu_edit_line", {"emu_edit_pairs", "emu_edit", "emu_edit_report"}),
        ("mgie_line", {"expressive", "mgie", "mgie_report"}),
        ("imagen_editor_line", {"captioned_pictures", "imagen_editor", "imagen_editor_report"}),
    ],
)
def test_a_line_beside_the_main_one_is_a_job_that_nothing_starts_and_no_retraining_makes(repository, job, line):
    made = {
        name: {key.to_user_string() for key in repository.get_job(name).asset_layer.executable_asset_keys}
        for name in (job, "retraining")
    }
    assert made[job] == line and not made["retraining"] & line
    graph = repository.asset_graph
    assert not [name for name in line if graph.get(dg.AssetKey(name)).automation_condition]


def test_the_foundry_works_in_the_folder_of_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("EDITFOUNDRY_ROOT", str(tmp_path))
    foundry = load_defs().resources["foundry"]
    assert foundry.folder == tmp_path
    assert foundry.paths.captions == tmp_path / "data" / "captions"


def test_every_stage_stands_in_line_for_the_gpu_or_for_dvc_and_only_the_gate_for_neither(repository):
    pools = {
        definition.key.to_user_string(): definition.op.pool
        for definition in repository.assets_defs_by_key.values()
        if definition.is_executable
    }
    assert pools == {
        "captions": "dvc",
        "quadruples": "gpu",
        "editworld_text": "gpu",
        "clips": "dvc",
        "frame_pairs": "gpu",
        "editworld_video": "gpu",
        "rehearsal": "gpu",
        "dataset": "dvc",
        "editworld": "gpu",
        "editworld_report": "gpu",
        "champion_gate": None,
        "instruct_pix2pix_pairs": "gpu",
        "instruct_pix2pix": "gpu",
        "instruct_pix2pix_report": "gpu",
        "emu_edit_pairs": "gpu",
        "emu_edit": "gpu",
        "emu_edit_report": "gpu",
        "expressive": "gpu",
        "mgie": "gpu",
        "mgie_report": "gpu",
        "captioned_pictures": "dvc",
        "imagen_editor": "gpu",
        "imagen_editor_report": "gpu",
    }


def test_no_stage_is_tried_again_for_whatever_reason(repository):
    """Retries are asked for by name, where a service did not answer: see test_stage_asset.py."""
    assert not [d for d in repository.assets_defs_by_key.values() if d.is_executable and d.op.retry_policy]


def test_a_thousand_source_shards_add_partitions_and_no_definitions(repository):
    from dagster_project.defs.partitions import SOURCE_SHARDS

    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(SOURCE_SHARDS.name, [f"shard-{n}" for n in range(1000)])
        assert len(SOURCE_SHARDS.get_partition_keys(dynamic_partitions_store=instance)) == 1000
    assert len(repository.asset_graph.get_all_asset_keys()) == len(LINEAGE) + len(BESIDE)
    assert len(repository.get_job("source_shard").nodes) == 1


def test_the_claims_stand_in_line_for_the_gpu_in_a_job_of_their_own(repository):
    [node] = repository.get_job("claims").nodes
    assert node.definition.pool == "gpu"


PRELOADED = """
import sys, threading
import dagster_project.preloaded
assert {"torch", "diffusers", "transformers", "dagster_project.defs.stages"} <= set(sys.modules)
assert threading.active_count() == 1, threading.enumerate()
assert not sys.modules["torch"].cuda.is_initialized()
"""


def test_steps_are_forked_from_a_process_that_has_loaded_everything_and_begun_nothing(repository):
    """A module to preload that does not import is passed over in silence, and each step is slow again."""
    assert {job.executor_def for job in repository.get_all_jobs()} == {FORKED}
    subprocess.run([sys.executable, "-c", PRELOADED], check=True, timeout=300)
