"""The editor in MLflow's own format: "models from code", with a diffusers folder among its artifacts."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

_COLUMN_TYPES: Mapping[type, str] = {int: "long", float: "double", str: "string"}


def save_pyfunc(local: str, folder: Path, model: Any, options: Mapping[str, type], profile: str) -> None:
    """Write a model that `mlflow.pyfunc.load_model` opens: ``mlflow/editor_model.py`` and a copy of the editor.

    Args:
        local: folder to make.
        folder: the editor, in diffusers' layout.
        model: ``mlflow.models.Model`` that says where it comes from.
        options: the editor's options, and whether they are ``int``, ``float`` or ``str``: further columns of a row.
        profile: names the models that help the editor, where its family has such.
    """
    import mlflow.pyfunc

    # editfoundry itself is on no index: versions are loaded inside its own environment (`--env-manager local`).
    packages = [f"{package}=={installed_version(package)}" for package in ("mlflow", "torch", "diffusers")]
    with warnings.catch_warnings():
        # There is a signature; an example would be a picture in base64.
        warnings.filterwarnings("ignore", message=".*input example was not provided")
        mlflow.pyfunc.save_model(
            local,
            python_model=str(model_code()),
            artifacts={"editor": str(folder.resolve())},
            signature=_signature(options),
            model_config={"device": "auto", "profile": profile},
            pip_requirements=packages,
            mlflow_model=model,
        )


def _signature(options: Mapping[str, type]) -> ModelSignature:
    from mlflow.models import ModelSignature
    from mlflow.types.schema import ColSpec, Schema

    columns: list[Any] = [ColSpec("string", "image"), ColSpec("string", "instruction")]
    kinds = {"seed": int, **options}
    columns += [ColSpec(_COLUMN_TYPES[kind], name, required=False) for name, kind in kinds.items()]
    return ModelSignature(inputs=Schema(columns), outputs=Schema([ColSpec("string")]))


def model_code() -> Path:
    """Return the file that MLflow runs to load a version: ``mlflow/editor_model.py``, or its copy in a wheel."""
    packaged = Path(__file__).with_name("editor_model.py")
    return packaged if packaged.is_file() else Path(__file__).resolve().parents[3] / "mlflow" / "editor_model.py"
