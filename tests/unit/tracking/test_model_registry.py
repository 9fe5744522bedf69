import base64

import mlflow
import pandas as pd
import pytest
import torch
from fastapi.testclient import TestClient
from function_editors import request
from tiny_emu_edit import save_editor, save_predictor
from tiny_models import tiny_image, tiny_pipeline

from editfoundry.data.images import open_image
from editfoundry.data.png import encode_png
from editfoundry.editors.open_editor import find_editor, open_editor
from editfoundry.errors import BadInputError
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.tracking.mlflow_client import default_tracking_uri, tracked_run
from editfoundry.tracking.model_registry import (
    register_version,
    set_alias,
    set_version_tag,
    version_by_alias,
)

pytestmark = pytest.mark.slow

TAGS = {"data_hash": "abc.dir", "code_revision": "0d0fde5", "profile": "embedded", "report": "reports/editworld"}
STEPS = 3


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """A project with one registered version of a tiny editor, named by the alias champion."""
    root = tmp_path_factory.mktemp("project")
    tiny_pipeline().save_pretrained(root / "checkpoint")
    uri = default_tracking_uri(root)
    with tracked_run("training", "first", {}, {}, uri, root=root) as run:
        pass
    options = find_editor(str(root / "checkpoint")).option_kinds
    version = register_version(
        root / "checkpoint", tags=TAGS, tracking_uri=uri, run_id=run.run_id, root=root, options=options
    )
    set_alias("champion", version, uri)
    before, before_registry = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    yield root, uri, version, run.run_id
    mlflow.set_tracking_uri(before)
    mlflow.set_registry_uri(before_registry)


@pytest.fixture(scope="module")
def expected(registry):
    """What `editfoundry edit --editor world-editor@champion` computes."""
    root, _, _, _ = registry
    editor = open_editor(str(root / "checkpoint"), choose_runtime("cpu"), num_inference_steps=STEPS)
    return editor.edit([request(tiny_image(0, (48, 32)), seed=7)])[0].require()


def test_a_version_says_where_it_comes_from(registry):
    root, uri, version, run_id = registry
    found = version_by_alias("champion", tracking_uri=uri)
    assert found == version
    assert TAGS.items() <= found.tags.items()
    assert found.run_id == run_id
    assert mlflow.MlflowClient(uri).get_run(run_id).outputs is not None


def test_the_champion_loads_and_edits_as_the_command_line_does(registry, expected):
    model = mlflow.pyfunc.load_model("models:/world-editor@champion")
    (edited,) = model.predict(pd.DataFrame([row(seed=7, num_inference_steps=STEPS)]))
    assert picture(edited).size == (48, 32)
    assert picture(edited).tobytes() == expected.tobytes()


def test_the_scoring_server_edits_and_names_what_is_wrong(registry, expected):
    from mlflow.pyfunc.scoring_server import init

    with TestClient(init(mlflow.pyfunc.load_model("models:/world-editor@champion"))) as server:
        records = [row(seed=7, num_inference_steps=STEPS), row(seed=8, num_inference_steps=STEPS)]
        first, second = server.post("/invocations", json={"dataframe_records": records}).json()["predictions"]
        assert picture(first).tobytes() == expected.tobytes()
        assert picture(second).tobytes() != expected.tobytes()
        weak = [row(seed=7, num_inference_steps=STEPS, guidance_scale=1.0), row(seed=7, num_inference_steps=STEPS)]
        unguided, guided = server.post("/invocations", json={"dataframe_records": weak}).json()["predictions"]
        assert picture(unguided).tobytes() != picture(guided).tobytes() == expected.tobytes()
        for wrong, reason in (
            ({"image": "no base64!"}, "row 1: its image is not base64"),
            ({"image": base64.b64encode(b"GIF89a").decode()}, "row 1: its image"),
            ({"instruction": " "}, "row 1: the instruction is empty"),
            ({"num_inference_steps": 0}, "num_inference_steps is 0, but must be in 1 to 1000"),
        ):
            answer = server.post("/invocations", json={"dataframe_records": [row(**wrong)]})
            assert answer.status_code == 400
            assert reason in answer.text


def test_the_command_line_finds_the_diffusers_folder_inside_the_version(registry, expected, monkeypatch, tmp_path):
    _, uri, version, _ = registry
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    for name in ("world-editor@champion", version.uri):
        editor = open_editor(name, choose_runtime("cpu"), cache=tmp_path / "cache", num_inference_steps=STEPS)
        [edit] = editor.edit([request(tiny_image(0, (48, 32)), seed=7)])
        assert edit.require().tobytes() == expected.tobytes()


def test_the_same_checkpoint_from_the_same_data_is_one_version(registry):
    root, uri, version, _ = registry
    again = register_version(root / "checkpoint", tags=TAGS, tracking_uri=uri, root=root)
    other = register_version(root / "checkpoint", tags={**TAGS, "data_hash": "def.dir"}, tracking_uri=uri, root=root)
    assert again.version == version.version
    assert int(other.version) == int(version.version) + 1


def test_an_alias_moves_and_a_reason_is_kept(registry):
    root, uri, version, _ = registry
    assert version_by_alias("candidate", tracking_uri=uri) is None
    assert version_by_alias("champion", "no-such-model", tracking_uri=uri) is None
    set_alias("candidate", version, uri)
    set_version_tag(version, "gate", "difference not above zero", uri)
    assert version_by_alias("candidate", tracking_uri=uri).tags["gate"] == "difference not above zero"


def test_a_version_without_its_origin_or_its_weights_is_refused(registry, tmp_path):
    root, uri, _, _ = registry
    with pytest.raises(ValueError, match="needs the tag 'report'"):
        register_version(root / "checkpoint", tags={**TAGS, "report": ""}, tracking_uri=uri, root=root)
    with pytest.raises(BadInputError, match="no editor here"):
        register_version(tmp_path, tags=TAGS, tracking_uri=uri, root=root)


def test_nothing_in_the_version_is_pickled(registry):
    root, _, _, _ = registry
    names = {path.name for path in (root / "mlruns" / "models").rglob("*") if path.is_file()}
    assert "editor_model.py" in names and "model_index.json" in names
    assert not [name for name in names if name.endswith((".pkl", ".pt", ".bin"))]


def test_a_served_emu_edit_editor_predicts_tasks_by_the_profile_that_it_was_registered_with(registry, tmp_path):
    root, uri, _, _ = registry
    save_predictor(tmp_path / "predictor", "style")
    profile = tmp_path / "mine.toml"
    profile.write_text(f'[task_predictor]\nmodel = "{tmp_path}/predictor"\n')
    folder = save_editor(tmp_path / "emu", torch.randn(16, 16, generator=torch.Generator().manual_seed(0)))
    tags, options = {**TAGS, "profile": str(profile)}, find_editor(str(folder)).option_kinds
    version = register_version(folder, "many-tasks", tags=tags, tracking_uri=uri, root=root, options=options)
    model = mlflow.pyfunc.load_model(version.uri)
    rows = [row(seed=7, num_inference_steps=STEPS, **task) for task in ({}, {"task": "style"}, {"task": "none"})]
    untold, styled, none = (model.predict(pd.DataFrame([one]))[0] for one in rows)
    assert untold == styled != none


def row(**changes):
    data = base64.b64encode(encode_png(tiny_image(0, (48, 32)))).decode()
    return {"image": data, "instruction": "melt it", **changes}


def picture(text):
    return open_image(base64.b64decode(text))
