"""Which of the shipped models can be trained on."""

from pathlib import Path

import pytest

from editfoundry.editors.editing_defaults import read_editing_defaults
from editfoundry.errors import BadInputError
from editfoundry.pretraining.measure import EDITING
from editfoundry.pretraining.run import pretrain
from editfoundry.profiles import EMBEDDED_FOLDER


def test_only_some_models_are_continued_from_what_is_shipped(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="^vae: only diffusion, language_model, editworld can be continued"):
        pretrain("vae", tmp_path, 1, "cpu", continue_shipped=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("role", ["editor_base", "editworld"])
def test_a_shipped_editor_is_sampled_as_its_card_was_measured(role: str) -> None:
    assert read_editing_defaults(EMBEDDED_FOLDER / role) == EDITING
