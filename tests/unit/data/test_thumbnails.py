import base64
import io

import pytest
from PIL import Image

from editfoundry.data.record import Triplet
from editfoundry.data.shards import write_triplets
from editfoundry.data.thumbnails import GAP, markdown_image, png_data_uri, thumbnail_sheet


def triplet(number, size=(8, 8), instruction="let it melt"):
    before, after = Image.new("RGB", size, (200, number, 0)), Image.new("RGB", size, (0, number, 200))
    return Triplet(instruction=instruction, input_image=before, output_image=after, category="Long-Term")


@pytest.fixture
def shard(tmp_path):
    write_triplets(tmp_path / "00000.tar", [triplet(n) for n in range(5)])
    return tmp_path


def test_the_input_stands_left_of_the_output(shard):
    sheet = thumbnail_sheet(shard, size=32)
    assert sheet.getpixel((GAP + 16, GAP + 16)) == (200, 0, 0)
    assert sheet.getpixel((GAP + 32 + 16, GAP + 16)) == (0, 0, 200)


def test_only_as_many_triplets_as_asked_for_are_drawn(shard):
    one_row, two_rows = thumbnail_sheet(shard, num_triplets=3), thumbnail_sheet(shard, num_triplets=4)
    assert one_row.width == two_rows.width
    assert one_row.height < two_rows.height


def test_a_wide_picture_keeps_its_shape(tmp_path):
    write_triplets(tmp_path / "00000.tar", [triplet(1, size=(40, 10))])
    sheet = thumbnail_sheet(tmp_path, size=40)
    assert sheet.getpixel((GAP + 20, GAP + 5)) == (200, 1, 0)
    assert sheet.getpixel((GAP + 20, GAP + 20)) == (255, 255, 255)


def test_a_long_instruction_stays_in_its_cell(tmp_path):
    write_triplets(tmp_path / "00000.tar", [triplet(1, instruction="melt " * 500)])
    sheet = thumbnail_sheet(tmp_path, size=48)
    right_edge = sheet.crop((sheet.width - GAP, 0, sheet.width, sheet.height))
    assert right_edge.getextrema() == ((255, 255),) * 3


def test_equal_shards_give_equal_bytes(shard):
    assert png_data_uri(thumbnail_sheet(shard)) == png_data_uri(thumbnail_sheet(shard))


def test_the_markdown_holds_the_picture_itself(shard):
    sheet = thumbnail_sheet(shard)
    text = markdown_image(sheet, "pairs")
    assert text.startswith("![pairs](data:image/png;base64,")
    decoded = Image.open(io.BytesIO(base64.b64decode(text.split(",", 1)[1].rstrip(")"))))
    assert decoded.tobytes() == sheet.tobytes()
