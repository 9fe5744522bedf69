"""The editor as MLflow loads and serves it: base64 pictures and instructions in, base64 PNGs out.

MLflow runs this file where a version of the model is loaded ("models from code"); nothing is unpickled.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from PIL import Image

from editfoundry.data.images import open_image
from editfoundry.data.png import encode_png
from editfoundry.editors.editor import Editor, EditRequest
from editfoundry.editors.open_editor import find_editor, open_source
from editfoundry.errors import BadInputError
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import load_profile


class EditorModel(mlflow.pyfunc.PythonModel):
    """One editor, loaded once; each row of the input is one edit."""

    editor: Editor

    def load_context(self, context: Any) -> None:
        """Load the diffusers folder among the version's artifacts.

        ``model_config`` names the device, and the profile of the models that help an editor, such as the one that
        predicts tasks.
        """
        settings = context.model_config or {}
        source = find_editor(str(Path(context.artifacts["editor"])))
        if source.family.helper_roles and settings.get("profile"):
            source = replace(source, profile=load_profile(settings["profile"]))
        self.editor = open_source(source, choose_runtime(settings.get("device", "auto")))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> list[str]:
        """Edit every row.

        Args:
            context: MLflow's; unused.
            model_input: columns ``image`` (base64 of a picture file), ``instruction``, and where wanted ``seed`` and
                the editor's options, such as ``num_inference_steps``, ``guidance_scale``, ``image_guidance_scale``.
            params: unused.

        Returns:
            One base64 PNG a row, at the size of the picture that came in.

        Raises:
            BadInputError: a picture that cannot be read, an empty instruction, or a number out of range.
        """
        return [self._edit(number, row) for number, row in enumerate(model_input.to_dict("records"), start=1)]

    def _edit(self, number: int, row: dict[str, Any]) -> str:
        where = f"row {number}"
        instruction = str(row["instruction"]).strip()
        if not instruction:
            raise BadInputError(f"{where}: the instruction is empty: say what to change")
        given = {name: value for name, value in row.items() if not pd.isna(value)}
        request = EditRequest(
            image=_decode(row["image"], where), instruction=instruction, seed=int(given.get("seed", 0)), id=where
        )
        try:
            [edit] = self._with_options(given).edit([request])
            return base64.b64encode(encode_png(edit.require())).decode()
        except BadInputError as error:
            raise BadInputError(f"{where}: {error}") from error

    def _with_options(self, given: dict[str, Any]) -> Editor:
        """Return the editor with a row's options; whole numbers come from MLflow as floats where some row has none."""
        options = {name: given[name] for name in self.editor.source.option_names if name in given}
        whole = {
            name: int(value)
            for name, value in options.items()
            if isinstance(getattr(self.editor.options, name), int) and float(value).is_integer()
        }
        return self.editor.with_options(**{**options, **whole})


def _decode(text: str, where: str) -> Image.Image:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise BadInputError(f"{where}: its image is not base64") from error
    return open_image(data, f"{where}: its image")


mlflow.models.set_model(EditorModel())
