"""A whole run: edits, failures, resuming, sessions, metrics.json."""

import json
from dataclasses import replace

import numpy as np
import pytest
from chat_server import KEY, Reply, chat_server
from function_editors import editor_of
from PIL import Image
from worlds import ColourEncoder, make_cases, return_the_input, return_the_truth

from editfoundry.data.output_folder import MARKER
from editfoundry.editors.editor import EditWords, WordedEdit
from editfoundry.editors.open_editor import open_editor
from editfoundry.errors import BadInputError, OutOfMemoryError, UnavailableError
from editfoundry.evaluation.benchmark_run import run_benchmark
from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem
from editfoundry.evaluation.benchmarks.tinyworld import item_of_case
from editfoundry.evaluation.cases import seed_of
from editfoundry.evaluation.contestants import Contestant
from editfoundry.evaluation.edit_folder import open_edit_folder
from editfoundry.evaluation.metrics.metric_models import MetricModels
from editfoundry.execution.output_lock import lock_path, output_lock
from editfoundry.pretrained.judge_model import load_judge_model
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import load_profile

CASES = make_cases(5)
WORLD = Benchmark(name="world", title="World", items=tuple(map(item_of_case, CASES)))
MODELS = MetricModels({"clip": ColourEncoder()})


def run(output, editors, benchmark=WORLD, **options):
    contestants = [Contestant(name=name, open=lambda e=editor: e) for name, editor in editors.items()]
    return run_benchmark(contestants, benchmark, output, models=MODELS, batch_size=2, **options)


def column(metrics, editor, name):
    return [row["scores"][name] for row in metrics["items"] if row["editor"] == editor]


def test_a_judges_endpoint_is_asked_nothing_twice_when_it_stops(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    contestants = [Contestant(name="dark", open=lambda: Recorder().editor)]

    def busy_after_nine(body, before):
        is_busy = len(server.bodies) > 9 and not server.healed
        return Reply(status=503, error={"message": "busy"}) if is_busy else Reply(json.dumps({"answer": 1}))

    with chat_server(busy_after_nine) as server:
        options = f'{{ base_url = "{server.url}", max_wait_seconds = 0.1, num_attempts = 1, num_concurrent = 1 }}'
        (tmp_path / "mine.toml").write_text(f'[vision_language_model]\nmodel = "endpoint:seer"\noptions = {options}\n')
        judge = load_judge_model(load_profile(tmp_path / "mine.toml"), choose_runtime("cpu"))
        how = {"models": MetricModels({"vision_language_model": judge}), "metrics": ("mllm_bit",), "batch_size": 2}
        server.healed = False
        with pytest.raises(UnavailableError, match="questions about pictures stayed unanswered"):
            run_benchmark(contestants, WORLD, tmp_path / "run", **how)
        server.healed = True
        found = run_benchmark(contestants, WORLD, tmp_path / "run", **how)
    assert column(found, "dark", "mllm_bit") == [1.0] * 5
    assert len(server.answered) == len(set(server.answered)) and not list((tmp_path / "run").glob("*.jsonl"))


class Recorder:
    """Darkens pictures, and keeps what it was given."""

    def __init__(self):
        self.requests = []
        self.editor = editor_of(self.edit)

    def edit(self, requests):
        self.requests += requests
        return [request.image.point(lambda value: value // 2) for request in requests]

    @property
    def inputs(self):
        return [request.image for request in self.requests]

    @property
    def instructions(self):
        return [request.instruction for request in self.requests]

    @property
    def seeds(self):
        return [request.seed for request in self.requests]


def test_a_run_folder_has_one_writer_at_a_time(tmp_path):
    output, seen = tmp_path / "run", []

    def look_for_a_second_writer(requests):
        with pytest.raises(UnavailableError, match="run: evaluation is at work on it"):
            run(output, {"other": return_the_input})
        seen.append(True)
        return [request.image for request in requests]

    run(output, {"first": editor_of(look_for_a_second_writer)})
    assert seen and not lock_path(output).exists()
    with output_lock(output, "somebody else"), pytest.raises(UnavailableError, match="somebody else is at work"):
        run(output, {"first": return_the_input})


def test_the_truth_is_always_right_and_the_input_never_and_perfectly_preserved(tmp_path):
    metrics = run(tmp_path, {"truth": open_editor("truth", None), "input": return_the_input})
    assert column(metrics, "truth", "right") == [1.0] * 5
    assert column(metrics, "input", "right") == [0.0] * 5
    assert column(metrics, "input", "preservation_psnr") == ["inf"] * 5
    assert column(metrics, "input", "psnr") == ["inf"] * 5 and column(metrics, "input", "l1") == [0.0] * 5
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics
    assert metrics["benchmark"]["num_items"] == 5
    assert metrics["items"][0]["seed"] == seed_of(CASES[0].id, 0)
    shown = Image.open(tmp_path / "truths" / f"{CASES[0].id}.png")
    assert (np.asarray(shown) == CASES[0].true_output).all()
    assert metrics["editors"]["truth"]["seconds_per_edit"] > 0 and metrics["editors"]["truth"]["peak_memory_mb"] > 10


def test_a_crash_and_pixels_that_are_not_finite_are_recorded_for_their_item_alone(tmp_path):
    def fails(requests):
        instructions = [request.instruction for request in requests]
        if CASES[0].instruction in instructions:
            raise RuntimeError("out of paint")
        if CASES[1].instruction in instructions:
            return [Image.fromarray(np.full((64, 64), np.nan, np.float32)) for _ in requests]
        if CASES[2].instruction in instructions:
            black = (np.full((64, 64, 3), np.nan, np.float32) * 255).astype(np.uint8)
            return [Image.fromarray(black) for _ in requests]
        return [edit.require() for edit in return_the_truth(CASES).edit(requests)]

    metrics = run(tmp_path, {"fails": editor_of(fails)})
    assert [row["failure"] for row in metrics["items"]] == ["crashed", "not-finite", "not-finite", None, None]
    assert "out of paint" in metrics["items"][0]["detail"]
    assert column(metrics, "fails", "right") == [None, None, None, 1.0, 1.0]
    assert sorted(p.stem for p in (tmp_path / "edits" / "fails").glob("*.png")) == [c.id for c in CASES[3:]]


def test_an_edit_that_is_there_is_not_made_again(tmp_path):
    first, again = Recorder(), Recorder()
    metrics = run(tmp_path, {"dark": first.editor})
    assert len(first.inputs) == 5
    gone = tmp_path / "edits" / "dark" / f"{CASES[3].id}.png"
    before = gone.read_bytes()
    gone.write_bytes(before[:50])
    resumed = run(tmp_path, {"dark": again.editor})
    assert again.instructions == [CASES[3].instruction] and gone.read_bytes() == before
    assert [row["scores"] for row in resumed["items"]] == [row["scores"] for row in metrics["items"]]

    def never():
        raise AssertionError("opened for nothing")

    assert run_benchmark([Contestant(name="dark", open=never)], WORLD, tmp_path, models=MODELS)["items"]


def test_edits_of_another_seed_setting_or_case_are_made_anew(tmp_path):
    run(tmp_path, {"dark": Recorder().editor})
    reseeded, changed = Recorder(), Recorder()
    run(tmp_path, {"dark": reseeded.editor}, seed=1)
    assert reseeded.seeds == [seed_of(case.id, 1) for case in CASES]
    other = replace(WORLD, items=(replace(WORLD.items[0], instruction="Something else."), *WORLD.items[1:]))
    run(tmp_path, {"dark": changed.editor}, other, seed=1)
    assert changed.instructions == ["Something else."]


@pytest.mark.parametrize("part", ["input_image", "mask", "truth", "task"])
def test_an_edit_is_made_anew_where_the_benchmark_was_mended(tmp_path, part):
    def asked(value):
        item = BenchmarkItem(id="one", category="c", instruction="Do.", input_image=picture, mask=picture,
                             truth=picture, task="add")  # fmt: skip
        return Benchmark(name="read", title="R", items=(replace(item, **{part: value}),), reference="truth")

    picture, file = Image.new("RGB", (16, 16), "white"), tmp_path / "mended.png"
    picture.save(file)
    first, again, mended = Recorder(), Recorder(), Recorder()
    out = tmp_path / "out"
    run(out, {"dark": first.editor}, asked("add" if part == "task" else file))
    run(out, {"dark": again.editor}, asked("add" if part == "task" else file))
    Image.new("RGB", (16, 16), "grey").save(file)
    run(out, {"dark": mended.editor}, asked("style" if part == "task" else file))
    assert [len(recorder.requests) for recorder in (first, again, mended)] == [1, 0, 1]
    shown = {"input_image": "inputs", "truth": "truths"}.get(part)
    if shown:
        assert Image.open(out / shown / "one.png").getpixel((0, 0)) == (128, 128, 128)


def test_edits_that_are_forgotten_are_so_for_whoever_opens_the_folder_next(tmp_path):
    run(tmp_path, {"dark": Recorder().editor})
    contestant = Contestant(name="dark", open=Recorder)
    folder = open_edit_folder(tmp_path / "edits/dark", contestant, WORLD.name, 0)
    assert folder.has(WORLD.items[0])
    folder.forget(WORLD.items[:1])
    opened = open_edit_folder(tmp_path / "edits/dark", contestant, WORLD.name, 0)
    assert [opened.has(item) for item in WORLD.items] == [False, True, True, True, True]


def test_each_turn_of_a_session_edits_the_editor_s_own_previous_output(tmp_path):
    picture = Image.new("RGB", (16, 12), (200, 100, 40))
    items = [
        BenchmarkItem(id=f"s-{n}", category="c", instruction=f"turn {n}", input_image=picture, group="s", turn=n)
        for n in range(3)
    ]
    alone = BenchmarkItem(id="alone", category="c", instruction="alone", input_image=Image.new("RGB", (8, 8)))
    session = Benchmark(name="session", title="S", items=(*items, alone))
    dark = Recorder()
    run(tmp_path / "whole", {"dark": dark.editor}, session)
    seen = dict(zip(dark.instructions, dark.inputs, strict=True))
    assert [seen[f"turn {n}"].getpixel((0, 0)) for n in range(3)] == [(200, 100, 40), (100, 50, 20), (50, 25, 10)]

    def stop(requests):
        if "turn 1" in [request.instruction for request in requests]:
            raise RuntimeError("no more")
        return [request.image for request in requests]

    stops = editor_of(stop)

    metrics = run(tmp_path / "broken", {"stops": stops}, session)
    assert [row["failure"] for row in metrics["items"]] == [None, "crashed", "no-previous-turn", None]
    first = replace(items[0], instruction="turn 0, otherwise")
    again = Recorder()
    run(tmp_path / "whole", {"dark": again.editor}, replace(session, items=(first, *items[1:], alone)))
    assert again.instructions == ["turn 0, otherwise", "turn 1", "turn 2"]
    stopped = run(tmp_path / "whole", {"dark": stops}, replace(session, items=(*items, alone)))
    assert [row["failure"] for row in stopped["items"]] == [None, "crashed", "no-previous-turn", None]
    assert stopped["items"][2]["scores"]["l1"] is None


def test_an_edit_that_does_not_fit_into_memory_stops_the_run_and_is_no_score(tmp_path):
    sizes = []

    def paint(requests, limit):
        sizes.append(len(requests))
        if len(requests) > limit:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
        return [request.image for request in requests]

    metrics = run(tmp_path / "small", {"big": editor_of(lambda requests: paint(requests, 1))})
    assert sizes == [2, 1, 1, 2, 1, 1, 1]
    assert [row["failure"] for row in metrics["items"]] == [None] * 5
    with pytest.raises(OutOfMemoryError, match=f"{CASES[0].id}: out of memory: big does not fit one edit of 64x64"):
        run(tmp_path / "none", {"big": editor_of(lambda requests: paint(requests, 0), "big")})
    assert not (tmp_path / "none" / "metrics.json").exists()


def test_an_editor_is_handed_the_parts_that_it_reads_and_no_others(tmp_path):
    parts = ("mask", "input_caption", "output_caption", "history", "truth")
    pictures = {"mask": Image.new("L", (16, 12), 255), "truth": Image.new("RGB", (16, 12), "blue")}
    common = {"category": "c", "input_image": Image.new("RGB", (16, 12)), "group": "s", **pictures}
    texts = {"input_caption": "a cat", "output_caption": "a dog"}
    items = tuple(BenchmarkItem(id=f"s-{n}", instruction=f"turn {n}", turn=n, **common, **texts) for n in range(2))
    for reads in ((), parts):
        seen = []

        def keep(requests, seen=seen):
            seen.extend(requests)
            return [Image.new("RGB", r.image.size, "red") for r in requests]

        run(tmp_path / str(len(reads)), {"keen": editor_of(keep, also_reads=reads)}, replace(WORLD, items=items))
        found = [name for name in parts if getattr(seen[1], name)]
        assert found == list(reads)
    assert [turn.instruction for turn in seen[1].history] == ["turn 0"]
    assert seen[1].history[0].image.getpixel((0, 0)) == (0, 0, 0)
    assert seen[1].truth.getpixel((0, 0)) == (0, 0, 255) and seen[1].mask.mode == "L"


def test_a_picture_that_has_gone_fails_for_its_item_alone(tmp_path):
    path = tmp_path / "input.png"
    items = (BenchmarkItem(id="gone", category="c", instruction="x", input_image=path), WORLD.items[0])
    metrics = run(tmp_path / "out", {"input": return_the_input}, replace(WORLD, items=items))
    assert [row["failure"] for row in metrics["items"]] == ["unreadable-input", None]
    assert "no such image file" in metrics["items"][0]["detail"]


def test_editors_need_names_that_name_folders_and_differ(tmp_path):
    for name in ("a/b", "", "..", "paired"):
        with pytest.raises(BadInputError, match="call it otherwise"):
            run(tmp_path, {name: return_the_input})
    twice = [Contestant(name="x", open=lambda: return_the_input)] * 2
    with pytest.raises(BadInputError, match="two editors are called 'x'"):
        run_benchmark(twice, WORLD, tmp_path, models=MODELS)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(BadInputError, match="other content"):
        run(tmp_path / "mine", {"input": return_the_input})


def test_a_benchmark_that_cannot_be_scored_is_refused_before_any_edit(tmp_path):
    for items, said in (((), "has no items"), ((WORLD.items[0],) * 2, "case-0-000 occurs more than once")):
        with pytest.raises(BadInputError, match=said):
            run(tmp_path / "out", {"input": return_the_input}, replace(WORLD, items=items))
    assert not (tmp_path / "out").exists()


def test_each_row_says_what_was_asked_for_and_what_the_edit_became(tmp_path):
    half = return_the_truth(CASES, only=[case.id for case in CASES[::2]])
    rows = run(tmp_path, {"half": half})["items"]
    assert [row["nearest"] for row in rows] == ["truth", "input"] * 2 + ["truth"]
    assert [row["rule"] for row in rows] == [case.rule for case in CASES]
    assert len({row["asked"] for row in rows}) == len(CASES)


def test_what_was_asked_for_is_told_apart_by_pictures_texts_and_seed(tmp_path):
    first = WORLD.items[0]
    others = [
        first,
        replace(first, output_caption="another caption"),
        replace(first, input_image=Image.new("RGB", (64, 64))),
        replace(first, instruction="Something else."),
    ]
    asked = [
        run(tmp_path / f"{n}", {"input": return_the_input}, replace(WORLD, items=(item,)))["items"][0]["asked"]
        for n, item in enumerate(others)
    ]
    asked.append(run(tmp_path / "seed", {"input": return_the_input}, WORLD, seed=5)["items"][0]["asked"])
    assert len(set(asked)) == 5
    again = run(tmp_path / "again", {"truth": return_the_truth(CASES)}, replace(WORLD, items=(first,)))
    assert again["items"][0]["asked"] == asked[0]


def test_what_doing_nothing_and_the_truth_score_stands_beside_the_editors(tmp_path):
    metrics = run(tmp_path, {"input": return_the_input, "truth": return_the_truth(CASES)})
    for bound in ("input", "truth"):
        scores = [metrics["bounds"][case.id][bound]["clip_score"] for case in CASES]
        assert scores == pytest.approx(column(metrics, bound, "clip_score"), abs=1e-7)


def test_scores_do_not_depend_on_the_batch_size(tmp_path):
    contestants = [Contestant(name="x", open=lambda: return_the_truth(CASES))]
    one, many = (
        run_benchmark(contestants, WORLD, tmp_path / f"{size}", models=MODELS, batch_size=size) for size in (1, 4)
    )
    for first, second in zip(one["items"], many["items"], strict=True):
        assert first["scores"] == pytest.approx(second["scores"], abs=1e-6)


def test_what_an_editor_says_of_an_edit_stays_with_it_when_the_run_goes_on(tmp_path):
    told = [EditWords("a puddle"), EditWords("", "empty")]
    made = iter(told * 3)
    worded = editor_of(lambda requests: [WordedEdit(r.image, next(made)) for r in requests])
    first = run(tmp_path, {"worded": worded, "plain": Recorder().editor})
    again = run(tmp_path, {"worded": editor_of(return_the_input), "plain": Recorder().editor})
    for metrics in (first, again):
        words = [row.get("words") for row in metrics["items"] if row["editor"] == "worded"]
        assert words == [{"text": "a puddle"}, {"text": "", "note": "empty"}] * 2 + [{"text": "a puddle"}]
        assert all("words" not in row for row in metrics["items"] if row["editor"] == "plain")


@pytest.mark.parametrize("mark", ["evaluation\ninput: world\n", "evaluation\n"])
def test_a_run_of_another_benchmark_is_refused_and_one_of_the_same_goes_on(tmp_path, mark):
    run(tmp_path, {"input": return_the_input})
    (tmp_path / MARKER).write_text(mark)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != MARKER}
    other = replace(WORLD, name="other", items=WORLD.items[:2])
    with pytest.raises(
        BadInputError, match="holds evaluation made of world, not of other; give another folder"
    ) as told:
        run(tmp_path, {"input": return_the_input}, other)
    assert "--replace" not in str(told.value)
    assert {path: path.read_bytes() for path in before} == before
    fewer = replace(WORLD, items=WORLD.items[:2])
    assert set(run(tmp_path, {"truth": open_editor("truth", None)}, fewer, seed=3)["editors"]) == {"truth"}


def test_edits_of_a_run_that_was_stopped_are_not_taken_away_by_another_benchmark(tmp_path):
    run(tmp_path, {"input": return_the_input})
    (tmp_path / "metrics.json").unlink()
    with pytest.raises(BadInputError, match="not of other"):
        run(tmp_path, {"input": return_the_input}, replace(WORLD, name="other"))
    assert len(list((tmp_path / "edits" / "input").glob("*.png"))) == len(WORLD.items)


@pytest.mark.parametrize("found", ["[]", "{", '{"benchmark": 3}', '{"benchmark": {"name": 3}}'])
def test_a_damaged_metrics_file_is_written_anew(tmp_path, found):
    run(tmp_path, {"input": return_the_input})
    (tmp_path / "metrics.json").write_text(found)
    assert run(tmp_path, {"input": return_the_input})["benchmark"]["name"] == "world"
