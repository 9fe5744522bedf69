"""A rating sheet asks about every edit without telling whose it is; its key tells it."""

import json
import re
import shutil

import pytest
from PIL import Image
from rated_runs import write_pictured_run

from editfoundry.errors import BadInputError
from editfoundry.evaluation.ratings.rating_key import key_path, read_key
from editfoundry.evaluation.ratings.rating_sheet import write_rating_sheet


@pytest.fixture
def run(tmp_path):
    return write_pictured_run(tmp_path / "run", 6, editors=("first", "second", "third"))


def data_of(sheet):
    return json.loads(re.search(r'id="data">(.*?)</script>', sheet.read_text())[1])


def test_every_edit_is_asked_about_alone_and_each_two_of_an_item_beside_each_other(run, tmp_path):
    sheet = tmp_path / "sheet.html"
    counts = write_rating_sheet([run], sheet)
    assert (counts.num_items, counts.num_edits, counts.num_pairs, counts.num_left_out) == (6, 18, 18, 0)
    key, shown = read_key(key_path(sheet)), data_of(sheet)
    assert [task["id"] for task in shown["tasks"]] == list(key.tasks)
    assert {len(task["shown"]) for task in shown["tasks"] if task["kind"] == "pair"} == {2}
    for task in shown["tasks"]:
        assert task["prompt"] == key.tasks[task["id"]].prompt
        assert {task["input"], *task["shown"]} <= set(shown["pictures"])


def test_the_page_names_no_editor_and_needs_no_other_file(tmp_path):
    names = ("painter-of-ours", "painter-of-theirs")
    run, sheet = write_pictured_run(tmp_path / "our-run", editors=names), tmp_path / "sheet.html"
    write_rating_sheet([run], sheet)
    page = re.sub(r"base64,[A-Za-z0-9+/=]+", "", sheet.read_text())
    assert not any(name in page for name in (*names, "our-run"))
    assert not re.search(r'(src|href)="(?!data:)', page)


def test_sides_and_order_are_drawn_by_seed(run, tmp_path):
    keys = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_rating_sheet([run], tmp_path / f"{name}.html", seed=seed)
        keys.append(read_key(tmp_path / f"{name}.key.json"))
    first, again, other = ([(task.editors, task.item) for task in key.tasks.values()] for key in keys)
    assert first == again and first != other and keys[0].sheet != keys[2].sheet
    lefts = [editors[0] for editors, _ in first if set(editors) == {"first", "second"}]
    assert set(lefts) == {"first", "second"}


def test_fewer_items_and_no_pairs_can_be_asked_for_and_failed_edits_are_left_out(run, tmp_path):
    data = json.loads((run / "metrics.json").read_text())
    data["items"][0]["failure"] = "crashed"
    (run / "metrics.json").write_text(json.dumps(data))
    counts = write_rating_sheet([run], tmp_path / "a.html", pairs=False)
    assert (counts.num_edits, counts.num_pairs, counts.num_left_out) == (17, 0, 1)
    assert write_rating_sheet([run], tmp_path / "b.html", num_items=2).num_items == 2


def test_editors_of_two_runs_are_rated_beside_each_other_and_told_apart(run, tmp_path):
    other = write_pictured_run(tmp_path / "later", 4)
    counts = write_rating_sheet([run, other], tmp_path / "sheet.html")
    assert counts.num_items == 4 and counts.num_edits == 20
    assert set(read_key(tmp_path / "sheet.key.json").editors) == {
        "run-first", "run-second", "third", "later-first", "later-second",
    }  # fmt: skip


def test_edits_of_different_pictures_are_not_rated_beside_each_other(run, tmp_path):
    other = write_pictured_run(tmp_path / "later", 4)
    Image.new("RGB", (64, 64), "white").save(other / "inputs" / "item-00.png")
    assert write_rating_sheet([run, other], tmp_path / "sheet.html").num_items == 3
    assert "item-00" not in {task.item for task in read_key(tmp_path / "sheet.key.json").tasks.values()}


def test_what_cannot_be_rated_is_refused_in_one_line(run, tmp_path):
    with pytest.raises(BadInputError, match=r"a rating sheet is an \.html file"):
        write_rating_sheet([run], tmp_path / "sheet.pdf")
    data = json.loads((run / "metrics.json").read_text())
    others = shutil.copytree(run, tmp_path / "others")
    for row in data["items"]:
        row["instruction"] = "Something else."
    (others / "metrics.json").write_text(json.dumps(data))
    with pytest.raises(BadInputError, match="no item in common"):
        write_rating_sheet([run, others], tmp_path / "sheet.html")
    shutil.rmtree(run / "edits")
    with pytest.raises(BadInputError, match="no edit to rate"):
        write_rating_sheet([run], tmp_path / "sheet.html")
    assert not list(tmp_path.glob("sheet*"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{}", "no key of a rating sheet"),
        ("nonsense", "not readable as JSON"),
        ('{"format": "editfoundry-rating-key", "sheet": "a"}', "damaged key"),
        (
            '{"format": "editfoundry-rating-key", "sheet": "a", "seed": 0, "editors": {}, "tasks": {"t": '
            '{"kind": "edit", "editors": ["e"], "item": "../../etc", "group": "g"}}}',
            "cannot name a file",
        ),
    ],
)
def test_a_damaged_key_is_refused_in_one_line(tmp_path, content, said):
    path = tmp_path / "sheet.key.json"
    path.write_text(content)
    with pytest.raises(BadInputError, match=said) as error:
        read_key(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


def test_a_key_that_is_not_there_is_told_with_who_writes_it(tmp_path):
    with pytest.raises(BadInputError, match=r"sheet\.key\.json: no such file; editfoundry ratings sheet writes"):
        read_key(tmp_path / "sheet.key.json")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_sheet_that_cannot_be_written_leaves_the_one_that_was_there(run, tmp_path):
    write_rating_sheet([run], tmp_path / "sheet.html")
    before = contents(tmp_path)
    broken = shutil.copytree(run, tmp_path / "broken")
    next((broken / "inputs").iterdir()).write_bytes(b"no picture")
    with pytest.raises(BadInputError, match="missing or damaged"):
        write_rating_sheet([broken], tmp_path / "sheet.html")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(BadInputError, match="is a folder where an output file should be"):
        write_rating_sheet([run], tmp_path / "folder.html")
    (tmp_path / "other.key.json").mkdir()
    with pytest.raises(BadInputError, match=r"other\.key\.json: is a folder where an output file should be"):
        write_rating_sheet([run], tmp_path / "other.html")
    assert contents(tmp_path) == before


def test_the_key_of_another_sheet_is_not_replaced_and_that_of_the_same_or_a_damaged_one_is(run, tmp_path):
    sheet = tmp_path / "sheet.html"
    write_rating_sheet([run], sheet)
    before = contents(tmp_path)
    for changed in ({"seed": 5}, {"num_items": 2}, {"pairs": False}):
        with pytest.raises(BadInputError, match=r"sheet\.key\.json: is the key of another sheet") as told:
            write_rating_sheet([run], sheet, **changed)
        assert "\n" not in str(told.value) and contents(tmp_path) == before
    write_rating_sheet([run], sheet, title="The same")
    assert contents(tmp_path)["sheet.key.json"] == before["sheet.key.json"] and b"The same" in sheet.read_bytes()
    (tmp_path / "sheet.key.json").write_text("{")
    write_rating_sheet([run], sheet)
    assert contents(tmp_path) == before


def test_the_report_of_a_rated_run_is_not_replaced_by_the_sheet(run):
    (run / "report.html").write_text("report")
    with pytest.raises(BadInputError, match=r"report\.html: is the input too"):
        write_rating_sheet([run], run / "report.html")
    assert (run / "report.html").read_text() == "report"


def without_an_editor(key):
    del key["editors"]["first"]


def with_a_number_for_a_run(key):
    key["editors"]["first"]["run"] = 3


def with_a_number_for_a_prompt(key):
    next(iter(key["tasks"].values()))["prompt"] = 3


def with_a_list_for_parts(key):
    next(iter(key["tasks"].values()))["parts"] = ["colour"]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (without_an_editor, "a task shows 'first', which is none of its editors"),
        (with_a_number_for_a_run, "3 where a word should be"),
        (with_a_number_for_a_prompt, "3 where a word should be"),
        (with_a_list_for_parts, "damaged key"),
    ],
)
def test_a_key_whose_parts_do_not_fit_is_damaged(run, tmp_path, damage, said):
    write_rating_sheet([run], tmp_path / "sheet.html")
    path = tmp_path / "sheet.key.json"
    key = json.loads(path.read_text())
    damage(key)
    path.write_text(json.dumps(key))
    with pytest.raises(BadInputError, match=f"damaged key of a rating sheet.*{said}|{said}.*of a rating sheet"):
        read_key(path)


def test_a_folder_in_the_place_of_a_key_is_told_as_one(tmp_path):
    with pytest.raises(BadInputError, match=r"is a folder; give the key in it"):
        read_key(tmp_path)
