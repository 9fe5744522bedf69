"""A rating sheet asks about every edit without telling whose it is; its key tells it."""

import json
import re
import shutil

import pytest
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
