"""The contact sheet."""

from pathlib import Path

import pytest
from PIL import Image

from editfoundry.errors import BadInputError
from editfoundry.tinyworld.gallery import WIDTH, draw_gallery


def test_the_gallery_is_one_readable_png_of_modest_size(tmp_path: Path) -> None:
    out = tmp_path / "pictures" / "gallery.png"
    draw_gallery(out)
    assert [path.name for path in out.parent.iterdir()] == ["gallery.png"]
    assert out.stat().st_size < 1_500_000
    with Image.open(out) as sheet:
        assert sheet.format == "PNG"
        assert sheet.width == WIDTH
        assert sheet.height > 3000
        assert sheet.convert("RGB").getcolors(1 << 20) is not None


@pytest.mark.parametrize("name", ["gallery.jpg", "gallery", "folder.png"])
def test_what_is_no_png_path_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(BadInputError, match=name):
        draw_gallery(tmp_path / name)
