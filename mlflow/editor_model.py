"""The editor as MLflow loads and serves it: base64 pictures and instructions in, base64 PNGs out.

MLflow runs this file where a version of the model is loaded ("models from code"); nothing is unpickled.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd

from editfoundry.data.images import open_image
from editfoundry.data.png import encode_png
from editfoundry.editors.open_editor import Editor, edit_photo_with, open_editor
from editfoundry.errors import BadInputError
from editfoundry.pretrained.runtime import choose_runtime

OPTIONS = ("num_inference_steps", "guidance_scale", "image_guidance_scale")
MAX_STEPS = 1000


class EditorModel(mlflow.pyfunc.PythonModel):
    """One editor, loaded once; each row of the input is one edit."""

    editor: Editor

    def load_context(self, context: Any) -> None:
        """Load the diffusers folder among the version's artifacts; ``model_config`` names the device."""
        settings = context.model_config or {}
        self.editor = open_editor(
            str(Path(context.artifacts["editor"])), choose_runtime(settings.get("device", "auto"))
        )

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> list[str]:
        """Edit every row.

        Args:
            context: MLflow's; unused.
            model_input: columns ``image`` (base64 of a picture file), ``instruction``, and where wanted ``seed``,
                ``num_inference_steps``, ``guidance_scale``, ``image_guidance_scale`` with the editor's own defaults.
            params: unused.

        Returns:
            One base64 PNG a row, at the size of the picture that came in.

        Raises:
            BadInputError: a picture that cannot be read, an empty instruction, or a number out of range.
        """
        return [self._edit(number, row) for number, row in enumerate(model_input.to_dict("records"), start=1)]

    def _edit(self, number: int, row: dict[str, Any]) -> str:
        instruction = str(row["instruction"]).strip()
        if not instruction:
            raise BadInputError(f"row {number}: the instruction is empty: say what to change")
        options = {name: row[name] for name in ("seed", *OPTIONS) if name in row and not pd.isna(row[name])}
        edited = edit_photo_with(
            self.editor, _decode(row["image"], f"row {number}"), instruction, **_checked(options, number)
        )
        return base64.b64encode(encode_png(edited)).decode()


def _decode(text: str, where: str) -> Any:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise BadInputError(f"{where}: its image is not base64") from error
    return open_image(data, f"{where}: its image")


def _checked(options: dict[str, Any], number: int) -> dict[str, Any]:
    whole = {name: int(options[name]) for name in ("seed", "num_inference_steps") if name in options}
    steps = whole.get("num_inference_steps", 1)
    if not 1 <= steps <= MAX_STEPS:
        raise BadInputError(f"row {number}: num_inference_steps is {steps}, but must be in 1 to {MAX_STEPS}")
    return {**{name: float(value) for name, value in options.items()}, **whole}


mlflow.models.set_model(EditorModel())
