"""Which of the shipped models can be trained on."""

from pathlib import Path

import pytest

from editfoundry.errors import BadInputError
from editfoundry.pretraining.run import pretrain


def test_only_some_models_are_continued_from_what_is_shipped(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="^vae: only diffusion, language_model, editworld can be continued"):
        pretrain("vae", tmp_path, 1, "cpu", continue_shipped=True)
    assert not list(tmp_path.iterdir())
