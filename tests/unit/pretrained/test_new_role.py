"""The role of docs/extending.md."""

import pytest
import torch
from extending_page import example_names
from tiny_llava import tiny_llava

from editfoundry.errors import MissingModelError
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import load_profile


def profile_of(folder, model):
    path = folder / "own.toml"
    path.write_text(f'[captioner]\nmodel = "{model}"\n')
    return load_profile(path)


def test_the_example_role_loads_what_the_profile_names(tmp_path, monkeypatch):
    monkeypatch.setattr("editfoundry.profiles.profile.ROLES", ("captioner",))
    load = example_names("A role")["load_captioner"]
    model, _ = tiny_llava()
    model.save_pretrained(tmp_path / "model")
    found = load(profile_of(tmp_path, tmp_path / "model"), choose_runtime("cpu"))
    assert isinstance(found, type(model)) and found.dtype == torch.float32
    with pytest.raises(MissingModelError, match="captioner.*nothing"):
        load(profile_of(tmp_path, tmp_path / "nothing"), choose_runtime("cpu"))
