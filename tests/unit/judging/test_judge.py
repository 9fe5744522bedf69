from dataclasses import replace

import pytest
import torch
from tiny_llava import loaded, tiny_llava
from tiny_models import tiny_image

from editfoundry.errors import BadInputError, Rejection
from editfoundry.judging import (
    EditPair,
    JudgeConfig,
    Judgement,
    JudgeThresholds,
    check_judge,
    judge_pairs,
    parse_answer,
)
from editfoundry.judging.answers import MAX_REASON_LENGTH, short_reason
from editfoundry.judging.judge_prompts import DESCRIBE, MAX_TEXT_LENGTH, QUESTIONS, fixed_texts, question_text
from editfoundry.pretrained.picture_features import side_by_side
from editfoundry.profiles import load_profile

SCALE = ("1", "2", "3", "4", "5")
PAIRS = [
    EditPair(
        input_image=tiny_image(2 * n), output_image=tiny_image(2 * n + 1), instruction=f"melt it {'now ' * n}",
        input_caption="a cube of ice", output_caption="a puddle" * (n % 2),
    )
    for n in range(5)
]  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return loaded(tmp_path_factory.mktemp("vlm"), tiny_llava())


@torch.inference_mode()
def expected_by_hand(model, pair, question, seen=("", "")):
    """Sum of number times probability, from transformers' own forward pass of one chat."""
    images = [side_by_side([pair.input_image, pair.output_image]) if question.shows_input else pair.output_image]
    prompt = question_text(question, pair.input_caption, pair.instruction, pair.output_caption, seen)
    chat = f"USER: <image>\n{prompt} ASSISTANT: "
    logits = model.model(**model.processor(text=[chat], images=[images], return_tensors="pt")).logits[0, -1]
    odds = {c: logits[model.processor.tokenizer.convert_tokens_to_ids(c)].exp().item() for c in question.choices}
    return sum(int(choice) * odd for choice, odd in odds.items()) / sum(odds.values())


def test_a_score_is_the_expected_value_of_its_answer_tokens(model):
    judged = judge_pairs(model, PAIRS, JudgeConfig(reasons=False, descriptions=False))
    for pair, judgement in zip(PAIRS, judged, strict=True):
        for question in QUESTIONS:
            by_hand = expected_by_hand(model, pair, question)
            assert getattr(judgement, question.name) == pytest.approx(by_hand, abs=1e-4), question.name
        assert not judgement.reasons and not judgement.unparsed
    assert len({judgement.semantic_alignment for judgement in judged}) == len(PAIRS)


def test_the_judge_is_told_with_each_question_what_it_said_of_the_pictures(model, monkeypatch):
    described = []
    generate = type(model).generate

    def watched(self, images, prompts, max_new_tokens=64):
        described.extend(image for (image,) in images)
        return generate(self, images, prompts, max_new_tokens)

    monkeypatch.setattr(type(model), "generate", watched)
    twice = [PAIRS[0], replace(PAIRS[0], output_image=PAIRS[1].output_image)]
    judged = judge_pairs(model, twice, JudgeConfig(reasons=False, max_new_tokens=4))
    assert described == [PAIRS[0].input_image, PAIRS[0].output_image, PAIRS[1].output_image]
    for pair, judgement in zip(twice, judged, strict=True):
        said = generate(model, [(pair.input_image,), (pair.output_image,)], [DESCRIBE] * 2, 4)
        seen = (short_reason(said[0]), short_reason(said[1]))
        assert all(seen) and judgement.semantic_alignment == pytest.approx(
            expected_by_hand(model, pair, QUESTIONS[0], seen), abs=1e-4
        )


@pytest.mark.parametrize("answers", ["probabilities", "text"])
def test_a_pair_is_judged_the_same_alone_and_among_others(model, answers):
    config = JudgeConfig(max_new_tokens=4, answers=answers)
    together, alone = judge_pairs(model, PAIRS, config), [judge_pairs(model, [p], config)[0] for p in PAIRS]
    for first, second in zip(together, alone, strict=True):
        assert first.scores == pytest.approx(second.scores, abs=2e-4)
        assert (first.reasons, first.unparsed) == (second.reasons, second.unparsed)


def test_with_probabilities_what_is_written_is_the_reason_and_rejects_nothing(model):
    (judgement,) = judge_pairs(model, PAIRS[:1], JudgeConfig(max_new_tokens=6))
    assert set(judgement.reasons) <= {"semantic_alignment", "identity_consistency", "image_quality"}
    assert judgement.reasons and not judgement.unparsed


def test_a_written_answer_that_does_not_parse_is_kept_with_its_text_and_scored_lowest(model):
    # A random model writes bytes at random.
    (judgement,) = judge_pairs(model, PAIRS[:1], JudgeConfig(answers="text", max_new_tokens=6))
    assert set(judgement.unparsed) == {question.name for question in QUESTIONS}
    assert all(text for text in judgement.unparsed.values())
    assert set(judgement.scores.values()) == {1.0, 0.0} and judgement.score == 0


def test_captions_are_scored_by_their_likelihood_beside_the_descriptions(model):
    pairs = [pair for pair in PAIRS if pair.output_caption]
    config = JudgeConfig(reasons=False, max_new_tokens=4)
    for pair, judgement in zip(pairs, judge_pairs(model, pairs, config), strict=True):
        rows = [(pair.input_image,), (pair.output_image,)]
        said = [short_reason(text) for text in model.generate(rows, [DESCRIBE] * 2, 4)]

        def likelihood(row, text):
            return float(model.log_likelihoods([row], [DESCRIBE], [text]))

        of_output, unchanged = likelihood(rows[1], pair.output_caption), likelihood(rows[1], pair.input_caption)
        misread = max(0, likelihood(rows[0], said[0]) - likelihood(rows[0], pair.input_caption))
        assert judgement.captions is not None
        assert judgement.captions.contrast == pytest.approx(of_output - unchanged, abs=1e-3)
        assert judgement.captions.fit == pytest.approx(of_output - likelihood(rows[1], said[1]) + misread, abs=1e-3)
        assert judgement.scores["judge_caption_fit"] == round(judgement.captions.fit, 4)


def test_captions_that_are_not_known_are_not_scored(model):
    config = JudgeConfig(reasons=False, max_new_tokens=4)
    judged = judge_pairs(model, PAIRS, config)
    assert [judgement.captions is None for judgement in judged] == [not pair.output_caption for pair in PAIRS]
    assert "judge_caption_fit" not in judged[0].scores
    plain = judge_pairs(model, PAIRS, JudgeConfig(reasons=False, captions=False, max_new_tokens=4))
    assert all(judgement.captions is None for judgement in plain)


def test_without_descriptions_captions_have_nothing_to_be_compared_with(model):
    (judgement,) = judge_pairs(model, PAIRS[1:2], JudgeConfig(reasons=False, descriptions=False))
    assert judgement.captions is None


def test_a_profile_says_what_suits_its_judge(tmp_path):
    assert JudgeThresholds.of_profile(load_profile("paper")) == JudgeThresholds()
    (tmp_path / "mine.toml").write_text("[judge]\nsuccess = 0.25\ncaption_fit = -3\n")
    mine = JudgeThresholds.of_profile(load_profile(tmp_path / "mine.toml"))
    assert mine == JudgeThresholds(success=0.25, caption_fit=-3.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[judge]\nsharpness = 1\n", "profile 'mine': unknown threshold 'sharpness'"),
        ("[judge]\nsuccess = true\n", "profile 'mine': judge.success is True"),
        ("[judge]\nimage_quality = 44\n", "image_quality is 44.0; it must be from 0 to 5"),
        ("[judge]\nsuccess = 50\n", "success is 50.0; it must be from 0 to 1"),
        ("judge = 3\n", "judge must be a table"),
    ],
)
def test_wrong_thresholds_of_a_profile_are_named(tmp_path, text, said):
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(BadInputError, match=said):
        JudgeThresholds.of_profile(load_profile(tmp_path / "mine.toml"))


def test_caption_scores_are_looked_at_where_they_have_a_threshold():
    scores = {"judge_" + question.name: 5.0 for question in QUESTIONS} | {"judge_caption_fit": -3.0}
    check_judge(scores, JudgeThresholds())
    check_judge(scores, JudgeThresholds(caption_fit=-4.0))
    with pytest.raises(Rejection, match="low judge_caption_fit"):
        check_judge(scores, JudgeThresholds(caption_fit=-2.0))
    with pytest.raises(Rejection, match="judge_caption_contrast"):
        check_judge(scores, JudgeThresholds(caption_contrast=0.0))


def test_no_pair_has_no_judgement(model):
    assert judge_pairs(model, []) == []


@pytest.mark.parametrize(
    ("text", "number", "reason"),
    [
        ("4, the egg is fried", 4, "the egg is fried"),
        ("4", 4, ""),
        (" 5.\nThe snowman\nmelted. ", 5, "The snowman melted"),
        ("3/5: half of it", 3, "half of it"),
        ("Score: 2 - nothing melted", 2, "nothing melted"),
        ("**1** (nothing happened)", 1, "nothing happened"),
        ("The rating is 5", 5, ""),
    ],
)
def test_answers_that_models_write_are_read(text, number, reason):
    answer = parse_answer(text, SCALE)
    assert answer is not None and (answer.number, answer.reason) == (number, reason)


@pytest.mark.parametrize("text", ["", "good", "0", "6", "45", "4.5 fine", "3,5", "I would say 4", "-1", "four"])
def test_what_is_no_number_of_the_scale_is_no_answer(text):
    assert parse_answer(text, SCALE) is None


def test_a_reason_is_one_printable_line_of_limited_length():
    answer = parse_answer("2 <script>\x1b[31m\u0000 " + "x" * 1000, SCALE)
    assert answer is not None
    assert len(answer.reason) == MAX_REASON_LENGTH and answer.reason.isprintable()


def test_a_question_tells_the_captions_that_there_are_in_one_line_each():
    semantic = QUESTIONS[0]
    text = question_text(semantic, "a\n\ncat", "melt it", "")
    assert "Shown before: a cat\nInstruction: melt it\n" in text and "Must show after" not in text
    assert len(question_text(semantic, "x" * 5000, "", "")) < len(question_text(semantic, "", "", "")) + 550
    assert "x" * MAX_TEXT_LENGTH in question_text(semantic, "x" * 5000, "", "")


def test_every_prompt_is_made_of_the_fixed_texts_and_the_facts():
    for question in QUESTIONS:
        text = question_text(question, "a cat", "melt it", "a dog", ("a cow", "a hen"))
        for fixed in sorted(fixed_texts(), key=len, reverse=True):
            text = text.replace(fixed, "")
        seen = [" a cow", " a hen"] if question.shows_input else [" a hen"]
        assert text.split("\n") == (
            ["", " a cat", " melt it", " a dog", *seen, ""] if question.tells_texts else ["", ""]
        )


PERFECT = Judgement(semantic_alignment=5, identity_consistency=5, image_quality=5, success=1)


def test_the_score_is_the_geometric_mean_of_the_four_so_that_one_failure_is_not_made_up_for():
    assert PERFECT.score == 1
    assert replace(PERFECT, semantic_alignment=1).score == replace(PERFECT, success=0).score == 0
    # 4, 3, 2 of 1 to 5 are 3/4, 1/2, 1/4 of the scale; with 1/2 the product is 3/64.
    middling = Judgement(semantic_alignment=4, identity_consistency=3, image_quality=2, success=0.5)
    assert middling.score == pytest.approx((3 / 64) ** 0.25)


@pytest.mark.parametrize("name", [question.name for question in QUESTIONS])
def test_a_score_at_its_threshold_passes_one_below_and_a_missing_one_do_not(name):
    thresholds = JudgeThresholds()
    lowest = getattr(thresholds, name)
    check_judge(replace(PERFECT, **{name: lowest}).scores, thresholds)
    with pytest.raises(Rejection) as below:
        check_judge(replace(PERFECT, **{name: lowest - 0.01}).scores, thresholds)
    assert below.value.reason == f"low judge_{name}"
    with pytest.raises(Rejection) as missing:
        check_judge({key: v for key, v in PERFECT.scores.items() if key != f"judge_{name}"}, thresholds)
    assert (missing.value.reason, missing.value.detail) == ("no score", f"judge_{name}")
    with pytest.raises(Rejection):
        check_judge({**PERFECT.scores, f"judge_{name}": float("nan")}, thresholds)


@pytest.mark.parametrize("wrong", [{"answers": "vote"}, {"max_new_tokens": 0}])
def test_wrong_judge_parameters_are_bad_input(wrong):
    with pytest.raises(BadInputError):
        JudgeConfig(**wrong)
