"""The chats that the writer asks."""

import json

import pytest

from editfoundry.pretrained.chat import Message
from editfoundry.synthesis.quadruples.config import TEXT_CATEGORIES, QuadrupleConfig
from editfoundry.synthesis.quadruples.exemplars import load_exemplars
from editfoundry.synthesis.quadruples.quadruple_prompts import NULL, Prompts

WORLD = load_exemplars("world")


def prompts(**changes):
    return Prompts.of(WORLD, QuadrupleConfig(**changes))


@pytest.mark.parametrize("category", TEXT_CATEGORIES)
def test_a_question_about_a_caption_shows_exemplars_and_a_refusal_and_ends_with_the_caption(category):
    system, *turns, question = prompts().from_caption("a cat $5", category)
    assert WORLD.categories[category].definition in system.content and "$" not in system.content
    assert question == Message("user", "Caption: a cat $5")
    assert [turn.role for turn in turns] == ["user", "assistant"] * 6
    answers = [turn.content for turn in turns[1::2]]
    assert answers.count(NULL) == 1
    shown = {e.instruction: e for e in WORLD.categories[category].exemplars}
    for given, answer in zip(turns[::2], answers, strict=True):
        if answer != NULL:
            fields = json.loads(answer)
            exemplar = shown.pop(fields["instruction"])
            assert given.content == f"Caption: {exemplar.input_caption}"
            assert set(fields) == {"instruction", "output_caption", "keywords"}


def test_captions_of_one_attempt_share_all_but_the_question_and_attempts_do_not():
    first, second = (prompts().from_caption(caption, "Long-Term") for caption in ("a cat", "a dog"))
    assert first[:-1] == second[:-1]
    assert prompts().from_caption("a cat", "Long-Term", attempt=1)[:-1] != first[:-1]
    assert prompts(seed=1).from_caption("a cat", "Long-Term")[:-1] != first[:-1]


def test_a_conversation_goes_on_with_its_own_answers():
    begun = prompts(num_exemplars=2, quadruples_per_turn=3).free("Story-Type", (0, 1), [])
    assert [message.role for message in begun] == ["system", "user", "assistant", "user"]
    assert begun[1].content == "Write 2." and len(json.loads(begun[2].content)) == 2
    assert begun[3].content == "Continue with 3 more, different from those above."
    later = prompts(num_exemplars=2, quadruples_per_turn=3).free("Story-Type", (0, 1), ["[]"])
    assert later == (*begun, Message("assistant", "[]"), begun[3])


def test_the_verifying_question_defines_all_categories_and_does_not_name_the_written_one():
    exemplar = WORLD.categories["Story-Type"].exemplars[0]
    system, question = prompts().verify(exemplar)
    assert all(f"* {c.name}: {c.definition}" in system.content for c in WORLD.categories.values())
    assert "Story-Type" not in question.content
    for text in (exemplar.input_caption, exemplar.instruction, exemplar.output_caption):
        assert text in question.content
