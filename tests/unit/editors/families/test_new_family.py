"""The family of docs/extending.md, as it is printed there."""

from extending_page import example_names
from function_editors import request
from PIL import Image

from editfoundry.editors.families import FAMILIES
from editfoundry.editors.open_editor import find_editor, open_editor
from editfoundry.pretrained.runtime import choose_runtime


def test_the_example_family_edits(monkeypatch) -> None:
    found = example_names("An editor family")
    monkeypatch.setattr("editfoundry.editors.open_editor.FAMILIES", [*FAMILIES, found["NEGATIVE"]])
    grey = request(Image.new("RGB", (5, 4), (10, 20, 30)))
    [edit] = open_editor("negative", choose_runtime("cpu")).edit([grey])
    assert edit.require().getpixel((0, 0)) == (245, 235, 225)
    assert find_editor("negative").option_names == ("share",)
