"""Ratings come to the figures that a person works out by hand, and damaged files to one clear line."""

import json

import pytest
from chat_server import KEY, Reply, chat_server
from rated_runs import answers_of, write_answers, write_pictured_run

from editfoundry.errors import BadInputError, UnavailableError
from editfoundry.evaluation.ratings.judge_rater import judge_ratings
from editfoundry.evaluation.ratings.rating_files import read_ratings, write_ratings
from editfoundry.evaluation.ratings.rating_key import read_key
from editfoundry.evaluation.ratings.rating_report import check_ratings_output, write_ratings_report
from editfoundry.evaluation.ratings.rating_results import rating_results
from editfoundry.evaluation.ratings.rating_sheet import write_rating_sheet
from editfoundry.pretrained.judge_model import load_judge_model
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import load_profile


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rated")
    write_rating_sheet([write_pictured_run(folder / "run")], folder / "sheet.html")
    return read_key(folder / "sheet.key.json")


def kind_to(editor, grade):
    """Answer yes and ``grade`` for one editor, no and 1 for the other, and prefer that editor."""

    def answer(task, question):
        if task.kind == "pair":
            return "left" if task.editors[0] == editor else "right"
        is_liked = task.editors[0] == editor
        return (grade if is_liked else "1") if question.name == "quality" else ("yes" if is_liked else "no")

    return answer


def read(tmp_path, key, *raters):
    paths = [
        write_answers(tmp_path / f"{name}.{kind}", key, name, answers_of(key, answer)) for name, kind, answer in raters
    ]
    return read_ratings(paths, key)


def test_answers_are_averaged_over_raters_then_over_items(key, tmp_path):
    raters = read(tmp_path, key, ("Ada", "json", kind_to("first", "5")), ("Bo", "csv", kind_to("first", "4")))
    found = rating_results(key, raters)
    for question in ("object", "attributes", "binding"):
        means = {editor: own["overall"] for editor, own in found["questions"][question].items()}
        assert means["first"] == {"value": 1, "low": 1, "high": 1, "n": 4} and means["second"]["value"] == 0
        assert found["agreement"][question] == {"alpha": 1, "num_raters": 2, "num_tasks": 8}
    assert found["questions"]["quality"]["first"]["overall"]["value"] == 4.5
    assert found["differences"]["object"]["second - first"]["value"] == -1
    assert found["preferences"]["first over second"]["counts"] == {"first": 8, "equal": 0, "second": 0}
    assert found["questions"]["object"]["first"]["by_category"]["Full"]["n"] == 2
    assert found["questions"]["object"]["first"]["by_part"]["attribute: colour"]["value"] == 1


def test_raters_who_contradict_each_other_come_to_the_middle_and_agree_less_than_by_chance(key, tmp_path):
    raters = read(tmp_path, key, ("Ada", "json", kind_to("first", "5")), ("Bo", "csv", kind_to("second", "5")))
    found = rating_results(key, raters)
    assert found["questions"]["object"]["first"]["overall"]["value"] == 0.5
    assert found["preferences"]["first over second"]["value"] == 0.5
    assert found["agreement"]["object"]["alpha"] < 0 and found["agreement"]["preference"]["alpha"] < 0


def test_what_a_rater_leaves_out_counts_for_nothing(key, tmp_path):
    some = kind_to("first", "5")
    lazy = lambda task, question: some(task, question) if task.item == "item-00" else None  # noqa: E731
    found = rating_results(key, read(tmp_path, key, ("Ada", "json", lazy)))
    assert found["questions"]["object"]["first"]["overall"]["n"] == 1
    assert found["agreement"]["object"] == {"alpha": None, "num_raters": 1, "num_tasks": 0}


def test_the_judge_stands_beside_people_and_counts_in_none_of_their_figures(key, tmp_path):
    raters = read(tmp_path, key, ("Ada", "json", kind_to("first", "5")), ("Bo", "csv", kind_to("first", "4")))
    judge = read(tmp_path, key, ("Model", "json", kind_to("second", "5")))[0]
    alone, beside = rating_results(key, raters), rating_results(key, raters, judge)
    assert {name: value for name, value in beside.items() if name != "judge"} == alone
    assert beside["judge"]["questions"]["object"]["second"]["overall"]["value"] == 1
    agreement = beside["judge"]["agreement"]["object"]
    assert agreement["alpha"] < 0 and agreement["alpha_of_two_people"] == 1


def test_the_profiles_judge_answers_every_question_of_a_sheet(key, tmp_path):
    model = load_judge_model(load_profile("embedded"), choose_runtime("cpu"))
    judge = judge_ratings(model, key)
    assert len(judge.answers) == sum(4 if task.kind == "edit" else 1 for task in key.tasks.values())
    write_ratings(tmp_path / "judge.json", key, judge)
    with pytest.raises(
        BadInputError, match=r"judge\.json: 'judge' is what the judge of --rater judge is called: leave"
    ):
        read_ratings([tmp_path / "judge.json"], key)


def test_a_judges_endpoint_that_stops_is_asked_nothing_twice(key, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    from editfoundry.cli import app

    def busy_after_nine(body, before):
        is_busy = len(server.bodies) > 9 and not server.healed
        return Reply(status=503, error={"message": "busy"}) if is_busy else Reply(json.dumps({"answer": 1}))

    write_answers(tmp_path / "ada.json", key, "Ada", answers_of(key, kind_to("first", "5")))
    key.write(tmp_path / "key.json")
    files = ["--key", str(tmp_path / "key.json"), "--out", str(tmp_path / "found")]
    with chat_server(busy_after_nine) as server:
        options = f'{{ base_url = "{server.url}", max_wait_seconds = 0.1, num_attempts = 1, num_concurrent = 1 }}'
        profile = tmp_path / "mine.toml"
        profile.write_text(f'[vision_language_model]\nmodel = "endpoint:seer"\noptions = {options}\n')
        asked = ["ratings", "aggregate", str(tmp_path / "ada.json"), *files, "--rater", "judge", "--profile", profile]
        server.healed = False
        with pytest.raises(UnavailableError):
            app(list(map(str, asked)), standalone_mode=False)
        server.healed = True
        app(list(map(str, asked)), standalone_mode=False)
    # A pair is asked about in both orders.
    assert len(server.answered) <= sum(4 if task.kind == "edit" else 2 for task in key.tasks.values())
    assert (tmp_path / "found" / "ratings-judge.json").is_file() and not list((tmp_path / "found").glob("*.jsonl"))


def test_the_report_is_written_as_json_markdown_and_unblinded_answers(key, tmp_path):
    raters = read(tmp_path, key, ("Ada", "json", kind_to("first", "5")))
    results = rating_results(key, raters, raters[0])
    write_ratings_report(tmp_path / "found", key, raters, results)
    assert json.loads((tmp_path / "found" / "ratings.json").read_text()) == json.loads(json.dumps(results))
    text = (tmp_path / "found" / "ratings.md").read_text()
    assert "Krippendorff's alpha" in text and "first over second" in text and "The judge" in text
    lines = (tmp_path / "found" / "answers.csv").read_text().splitlines()
    assert len(lines) == 1 + 8 * 4 + 4 and "first" in lines[1] + lines[5]


def test_the_answers_of_a_judge_go_with_the_report_that_had_one(key, tmp_path):
    raters = read(tmp_path, key, ("Ada", "json", kind_to("first", "5")))
    for judge in (raters[0], None):
        write_ratings_report(tmp_path / "found", key, raters, rating_results(key, raters, judge))
        if judge is not None:
            write_ratings(tmp_path / "found" / "ratings-judge.json", key, judge)
        assert (tmp_path / "found" / "ratings-judge.json").exists() == (judge is not None)


def damaged(**changes):
    def change(data):
        return {**data, **changes}

    return change


def with_answer(**changes):
    def change(data):
        return {**data, "answers": [{**data["answers"][0], **changes}, *data["answers"][1:]]}

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (damaged(format="other"), "no ratings"),
        (damaged(answers="all"), "no ratings"),
        (damaged(answers=[]), "holds no answers"),
        (damaged(answers=[3]), "answer 1 is no answer"),
        (damaged(sheet="another"), "is of sheet 'another'"),
        (damaged(rater=""), "name has 0 characters"),
        (damaged(rater=None), "has no rater"),
        (with_answer(task="nowhere"), "answer 1: the sheet has no task 'nowhere'"),
        (with_answer(question="beauty"), "does not ask 'beauty'"),
        (with_answer(question="preference"), "does not ask 'preference'"),
        (with_answer(answer="perhaps"), "object is 'perhaps', but must be one of yes, no"),
        (lambda data: {**data, "answers": data["answers"] + data["answers"][:1]}, "is answered twice"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line_that_names_it(key, tmp_path, change, said):
    path = write_answers(tmp_path / "a.json", key, "Ada", answers_of(key, kind_to("first", "5")))
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(BadInputError, match=said) as error:
        read_ratings([path], key)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("task,answer\n1,2\n", "its columns must be"),
        ("", "its columns must be"),
        ("sheet,rater\x00", "is not UTF-8 text; save it again as UTF-8"),
        ("sheet;rater;task;question;answer\ns;Ada;1;quality;5\n", "separated by semicolons; save it again with commas"),
        ('sheet,rater,task,question,answer\ns,"Ada,1,quality,5\ns,Ada,2,quality,5\n', "row 1: a quote that opens"),
        ("sheet,rater,task,question,answer\ns,Ada,1,quality,5,6\n", "row 1: 6 fields, 5 in the header"),
    ],
)
def test_a_damaged_table_is_refused_in_one_line(key, tmp_path, text, said):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(BadInputError, match=said):
        read_ratings([path], key)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le"])
def test_a_table_in_another_encoding_is_told_as_one(key, tmp_path, encoding):
    path = write_answers(tmp_path / "a.csv", key, "Zoë", answers_of(key, kind_to("first", "5")))
    path.write_bytes(path.read_text(encoding="utf-8-sig").encode(encoding))
    with pytest.raises(BadInputError, match=r"a\.csv: is not UTF-8 text; save it again as UTF-8$"):
        read_ratings([path], key)


def test_two_raters_whose_names_differ_in_letter_case_alone_are_refused(key, tmp_path):
    with pytest.raises(BadInputError, match=r"anna\.json: 'anna' differs from 'Anna' in .*Anna\.csv by letter case"):
        read(
            tmp_path, key, *((name, kind, kind_to("first", "5")) for name, kind in (("Anna", "csv"), ("anna", "json")))
        )


def test_one_rater_in_two_files_is_refused(key, tmp_path):
    with pytest.raises(BadInputError, match=r"'Ada' has answered in .*a\.json too"):
        rows = answers_of(key, kind_to("first", "5"))
        paths = [write_answers(tmp_path / name, key, "Ada", rows) for name in ("a.json", "b.csv")]
        read_ratings(paths, key)


def test_a_grade_that_was_saved_as_a_number_counts_as_its_text(key, tmp_path):
    rows = answers_of(key, kind_to("first", "5"))
    numbers = [{**row, "answer": int(row["answer"])} if row["question"] == "quality" else row for row in rows]
    (text,) = read_ratings([write_answers(tmp_path / "text.json", key, "Ada", rows)], key)
    (number,) = read_ratings([write_answers(tmp_path / "number.json", key, "Ada", numbers)], key)
    wholes = [{**row, "answer": float(row["answer"])} if row["question"] == "quality" else row for row in rows]
    (whole,) = read_ratings([write_answers(tmp_path / "whole.json", key, "Ada", wholes)], key)
    assert whole == number == text
    for answer in (6, True, 4.5, None):
        wrong = [{**numbers[0], "answer": answer}, *numbers[1:]]
        with pytest.raises(BadInputError, match="answer 1: "):
            read_ratings([write_answers(tmp_path / "wrong.json", key, "Ada", wrong)], key)


@pytest.mark.parametrize("name", ["gone.json", "gone.csv", "folder.json"])
def test_a_file_of_ratings_that_is_not_there_is_told_as_one(key, tmp_path, name):
    (tmp_path / "folder.json").mkdir()
    what = "is a folder; give the files that" if name == "folder.json" else "no such file; give what"
    with pytest.raises(BadInputError, match=f"{name}: {what} the sheet's Save buttons have written"):
        read_ratings([tmp_path / name], key)


@pytest.mark.parametrize("name", ["ratings.json", "answers.csv", "ratings-judge.json"])
def test_ratings_that_the_report_would_replace_are_not_taken(tmp_path, name):
    with pytest.raises(BadInputError, match=f"{name}: is the input too"):
        check_ratings_output(tmp_path / "out", [tmp_path / "out" / ".." / "out" / name])
