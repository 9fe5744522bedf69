"""The instruction agent: what it is shown, what is taken of its answers, what is rejected and why."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from editfoundry.data.edit_tasks import EditTask
from editfoundry.data.record import Caption
from editfoundry.errors import BadInputError, Rejection
from editfoundry.pretrained.asking import Asker
from editfoundry.pretrained.chat import ChatAnswer, Request, Sampling
from editfoundry.synthesis.emu_edit.agent import read_task_instruction, write_task_instructions
from editfoundry.synthesis.emu_edit.agent_config import AgentConfig
from editfoundry.synthesis.emu_edit.agent_exemplars import load_task_exemplars
from editfoundry.tinyworld.tasks.task_sampling import MADE_TASKS

EXEMPLARS = load_task_exemplars("tinyworld")
CAPTION = Caption(caption="a red apple on the left and a cat in a kitchen")
GOOD = {
    "edit": "Remove the cat.",
    "edited_object": "",
    "output": "a red apple on the left in a kitchen",
    "original_object": "cat",
}


class Model:
    """Answers by a function of the number of requests so far."""

    def __init__(self, say: Callable[[int], str]) -> None:
        self.say, self.asked = say, list[Request]()

    def answer(
        self, requests: Sequence[Request], sampling: Sampling, record: Callable[[int, ChatAnswer], None]
    ) -> None:
        assert (sampling.temperature, sampling.top_p) == (0.9, 0.9)
        for index, request in enumerate(requests):
            self.asked.append(request)
            record(index, ChatAnswer(text=self.say(len(self.asked))))


def asker(model: Model, folder: Path) -> Asker:
    return Asker(lambda: model, "model", folder / "shard.parquet", 8)


def reason(answer: str, task: EditTask = EditTask.REMOVE) -> str:
    with pytest.raises(Rejection) as error:
        read_task_instruction(ChatAnswer(text=answer), CAPTION, task, AgentConfig())
    return error.value.reason


def test_the_shipped_exemplars_show_every_task_of_tinyworld_and_pass_the_agents_own_checks() -> None:
    assert set(EXEMPLARS) == set(MADE_TASKS)
    for task, shown in EXEMPLARS.items():
        for one in shown.exemplars:
            answer = ChatAnswer(text=json.dumps(dict(one.answer)))
            assert read_task_instruction(answer, Caption(caption=one.caption), task, AgentConfig()).task is task


def test_an_answer_is_read_with_prose_around_it() -> None:
    answer = ChatAnswer(text=f"Sure! {json.dumps(GOOD)} Well?")
    made = read_task_instruction(answer, CAPTION, EditTask.REMOVE, AgentConfig())
    assert (made.edit, made.original_object, made.source) == ("Remove the cat.", "cat", CAPTION.id)


def test_bad_answers_are_rejected_with_their_reason() -> None:
    assert reason("I would remove the cat.") == "unparsable answer"
    assert reason(json.dumps({**GOOD, "original_object": "dog"})) == "object not in the caption"
    assert reason(json.dumps({**GOOD, "original_object": ""})) == "edit of another task"
    assert reason(json.dumps({**GOOD, "output": "a cat in a meadow"})) == "edit of another task"
    assert reason(json.dumps({**GOOD, "edit": "x" * 10_000})) == "edit too long"
    assert reason(json.dumps({**GOOD, "output": CAPTION.caption})) == "nothing changes"
    assert reason(json.dumps({**GOOD, "edit": 3})) == "no edit"
    assert reason(json.dumps(GOOD), EditTask.ADD) == "edit of another task"


def test_a_prompt_shows_sixty_per_cent_of_the_exemplars_and_others_at_the_next_attempt(tmp_path: Path) -> None:
    model = Model(lambda number: "no" if number < 3 else json.dumps(GOOD))
    with asker(model, tmp_path) as one:
        written, rejected = write_task_instructions([CAPTION], EXEMPLARS[EditTask.REMOVE], AgentConfig(), one)
    assert len(written) == 1 and not rejected and len(model.asked) == 3
    assert [len(request.chat) for request in model.asked] == [2 + 2 * 5] * 3
    assert len({request.chat for request in model.asked}) == len({request.seed for request in model.asked}) == 3


def test_what_stays_unusable_is_rejected_and_nothing_is_asked_twice(tmp_path: Path) -> None:
    config, shown = AgentConfig(max_attempts=2), EXEMPLARS[EditTask.REMOVE]
    captions = [CAPTION, Caption(caption="a dog on a beach")]
    with asker(Model(lambda number: json.dumps(GOOD)), tmp_path) as one:
        first = write_task_instructions(captions, shown, config, one)
    assert [made.caption for made in first[0]] == [CAPTION.caption]
    assert [row.reason for row in first[1]] == ["object not in the caption"]
    silent = Model(lambda number: "")
    with asker(silent, tmp_path) as one:
        assert write_task_instructions(captions, shown, config, one) == first
    assert not silent.asked


WHOLE = (
    '[[tasks]]\nname = "add"\nverbs = ["add"]\n'
    '[[tasks.exemplars]]\ncaption = "a"\nedit = "b"\nedited_object = ""\noutput = "c"\noriginal_object = ""\n'
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[tasks]]\nname = "remove"\nverbs = ["remove"]\n', r"task 1 \(remove\): 'exemplars' is missing"),
        (WHOLE.replace('["add"]', '"add"'), r"task 1 \(add\): verbs must be a list of texts, not 'add'"),
        (WHOLE.replace('["add"]', "[]"), "verbs and exemplars must be one or more"),
        (WHOLE.replace('edit = "b"', "edit = [2]"), r"exemplar 1: edit must be a text, not \[2\]"),
        (WHOLE.replace('output = "c"', 'output = ""'), "exemplar 1: output must be a text, not ''"),
        (WHOLE + WHOLE, "tasks has 'add' twice"),
        (WHOLE.replace('"add"\n', '"poke"\n', 1), "task 1: name is 'poke', which is no task"),
        ("tasks = 5", "tasks must be tables, each under .*, not 5"),
        ('tasks = ["a"]', "tasks must be tables"),
        ("", "'tasks' is missing"),
    ],
)
def test_a_file_of_exemplars_is_told_with_the_place_that_is_wrong(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(BadInputError, match=rf"^{file}: .*{said}"):
        load_task_exemplars(str(file))


def test_half_a_character_in_an_answer_is_a_rejection() -> None:
    assert reason(json.dumps({**GOOD, "edit": "half \ud83d"})) == "control characters in edit"
    assert reason("half \ud83d") == "unparsable answer"
