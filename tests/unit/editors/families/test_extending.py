"""The family of docs/extending.md, as it is printed there."""

import re
from pathlib import Path

from function_editors import request
from PIL import Image

from editfoundry.editors.families import FAMILIES
from editfoundry.editors.open_editor import find_editor, open_editor
from editfoundry.pretrained.runtime import choose_runtime

PAGE = Path(__file__).parents[4] / "docs" / "extending.md"


def test_the_example_family_edits(monkeypatch) -> None:
    section = PAGE.read_text().split("## An editor family")[1].split("\n## ")[0]
    [code] = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    found: dict[str, object] = {}
    exec(compile(code, str(PAGE), "exec"), found)
    monkeypatch.setattr("editfoundry.editors.open_editor.FAMILIES", [*FAMILIES, found["NEGATIVE"]])
    grey = request(Image.new("RGB", (5, 4), (10, 20, 30)))
    [edit] = open_editor("negative", choose_runtime("cpu")).edit([grey])
    assert edit.require().getpixel((0, 0)) == (245, 235, 225)
    assert find_editor("negative").option_names == ("share",)
