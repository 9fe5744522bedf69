from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from editfoundry.curation.curate import curate
from editfoundry.curation.curation_config import CurationConfig
from editfoundry.curation.judged_grid import draw_sheet, render_sheet, write_sheet
from editfoundry.curation.shown_triplets import choose_shown
from editfoundry.curation.splits import SplitShares
from editfoundry.data.record import Triplet
from editfoundry.data.shards import write_triplets
from editfoundry.errors import BadInputError

GOOD = {"clip_input": 0.3, "clip_output": 0.3, "clip_image": 0.9, "clip_direction": 0.3}
NASTY = '<script>alert("x")</script> & melt'


def noise(seed: int) -> Image.Image:
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((32, 32), Image.Resampling.NEAREST)


def triplet(seed: int, **changes: object) -> Triplet:
    made = Triplet(
        instruction=f"melt it {seed}",
        input_image=noise(2 * seed),
        output_image=noise(2 * seed + 1),
        input_caption=f"picture {seed}",
        scores=GOOD,
    )
    return replace(made, **changes)


@pytest.fixture
def made(tmp_path):
    low = [triplet(50 + n, scores={**GOOD, "clip_image": 0.1}) for n in range(6)]
    reasoned = triplet(
        90, instruction=NASTY, scores={}, provenance={"judge_reasons": {"image_quality": "<b>blurred</b>"}}
    )
    write_triplets(tmp_path / "triplets" / "00000.tar", [*(triplet(n) for n in range(10)), *low, reasoned])
    config = CurationConfig(shares=SplitShares(validation=0.0, test=0.0))
    curate(tmp_path / "triplets", tmp_path / "dataset", config)
    return tmp_path


class Page(HTMLParser):
    """Collects tags and what they point to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]


def test_kept_are_spread_and_the_reasons_of_dropped_take_turns(made):
    sheet = choose_shown(made / "dataset", [made / "triplets"], 2)
    assert [item.instruction for item in sheet.kept] == ["melt it 0", "melt it 5"]
    assert {item.verdict for item in sheet.dropped} == {"low clip_image", "no score"}
    assert (sheet.num_kept, sheet.num_dropped) == (10, 7)
    assert sheet.dropped_by_reason == {"low clip_image": 6, "no score": 1}


def test_the_dropped_are_shown_with_their_own_pictures(made):
    sheet = choose_shown(made / "dataset", [made / "triplets"], 10)
    shown = next(item for item in sheet.dropped if item.instruction == "melt it 52")
    assert shown.images is not None and shown.images[1].tobytes() == noise(105).tobytes()
    assert shown.detail == "0.1 < 0.75"


def test_of_two_folders_with_shards_of_one_name_the_one_that_has_it_is_read(made):
    other = [triplet(70 + n, scores={**GOOD, "clip_image": 0.2}) for n in range(2)]
    write_triplets(made / "others" / "00000.tar", [triplet(30), *other])
    folders = [made / "triplets", made / "others"]
    curate(folders, made / "both", CurationConfig(shares=SplitShares(validation=0.0, test=0.0)))
    shown = {item.instruction: item.images for item in choose_shown(made / "both", folders, 20).dropped}
    assert shown["melt it 71"][1].tobytes() == noise(143).tobytes()
    assert shown["melt it 52"][1].tobytes() == noise(105).tobytes()


def test_the_html_needs_no_other_file_and_no_text_becomes_markup(made):
    sheet = choose_shown(made / "dataset", [made / "triplets"], 10)
    html = render_sheet(sheet, NASTY)
    page = Page(html)
    assert "script" not in page.tags and "b" not in page.tags
    assert "&lt;script&gt;" in html and "&lt;b&gt;blurred" in html
    assert page.tags.count("img") == 2 * 17 and all(link.startswith("data:") for link in page.links)
    assert html == render_sheet(choose_shown(made / "dataset", [made / "triplets"], 10), NASTY)


def test_without_the_triplets_the_dropped_are_shown_by_their_texts(made):
    sheet = choose_shown(made / "dataset", [], 10)
    assert all(item.images is None for item in sheet.dropped) and len(sheet.dropped) == 7
    assert Page(render_sheet(sheet, "x")).tags.count("img") == 20


def test_a_png_shows_both_pictures_of_a_kept_triplet(made):
    sheet = choose_shown(made / "dataset", [made / "triplets"], 4)
    write_sheet(made / "sheet.png", sheet, "x")
    with Image.open(made / "sheet.png") as page:
        assert page.tobytes() == draw_sheet(sheet).tobytes()
        tile = noise(0).resize((112, 112), Image.Resampling.NEAREST)
        assert page.crop((10, 40, 122, 152)).tobytes() == tile.tobytes()


def test_wrong_folders_and_files_are_bad_input(made):
    with pytest.raises(BadInputError, match=r"no shard 00000\.tar with what was dropped"):
        choose_shown(made / "dataset", [made], 3)
    with pytest.raises(BadInputError):
        choose_shown(made / "triplets", [], 3)
    with pytest.raises(BadInputError, match=r"an \.html or a \.png"):
        write_sheet(made / "sheet.pdf", choose_shown(made / "dataset", [], 3), "x")
