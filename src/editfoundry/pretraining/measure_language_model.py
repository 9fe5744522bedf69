"""How true the language model's quadruples are, on captions of scenes that training never showed."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from editfoundry.data.record import Caption, Quadruple
from editfoundry.data.tables import read_rows, write_rows
from editfoundry.errors import Rejection, UnavailableError
from editfoundry.pretrained.chat import Chat, ChatAnswer, LanguageModel, Request, Sampling
from editfoundry.pretrained.language_model import load_language_model
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretraining.quadruple_chats import sample_asked_scene, sample_verified
from editfoundry.profiles import Profile
from editfoundry.synthesis.quadruples.answers import is_refusal, json_objects, read_category, read_quadruple
from editfoundry.synthesis.quadruples.config import TEXT_CATEGORIES, QuadrupleConfig
from editfoundry.synthesis.quadruples.model_stage import write_free_quadruples, write_model_quadruples
from editfoundry.synthesis.quadruples.writing import Writing
from editfoundry.tinyworld.quadruple_truth import applicable, is_true
from editfoundry.tinyworld.scene import Scene
from editfoundry.tinyworld.scene_sampling import random_stream

NUM_QUESTIONS = 400
"""Captions asked about once, quadruples verified, captions given to the writer, and free quadruples: of each."""
WRITER = QuadrupleConfig(writer="language_model", exemplars="tinyworld", frequency_penalty=0.0)
"""As the embedded profile's parameters have it."""
Asked = tuple[Scene, str]
"""A scene, and the category that its caption is asked about."""


def measure_language_model(profile: Profile, runtime: Runtime, num_questions: int = NUM_QUESTIONS) -> dict[str, float]:
    """Return shares of what the model answers rightly when asked once, and of what the whole writer makes of it.

    Captions are of the test split; a true quadruple is what a trained rule of its category makes of its caption. The
    writer retries what it cannot use, verifies and drops near-copies; its settings are the defaults.

    Raises:
        MissingModelError: the model is not there.
    """
    writing = Writing.of(WRITER, WRITER.exemplars)
    model = load_language_model(profile, str(runtime.device))
    answers = _measure_answers(model, writing, num_questions)
    verified = _measure_verification(model, writing, num_questions)
    return {**answers, **verified, **_measure_writer(profile, runtime, num_questions)}


def _measure_answers(model: LanguageModel, writing: Writing, num_questions: int) -> dict[str, float]:
    asked = [_question("asked", number) for number in range(num_questions)]
    chats = [writing.prompts.from_caption(scene.caption, category) for scene, category in asked]
    answers = _ask(model, chats, writing.sampling)
    answerable = [bool(applicable(scene, category)) for scene, category in asked]
    right = [_is_right(answer.text, *question) for answer, question in zip(answers, asked, strict=True)]
    pairs = list(zip(answerable, right, strict=True))
    return {
        "answers_valid_and_true": float(np.mean([hit for fits, hit in pairs if fits])),
        "refusals_right": float(np.mean([hit for fits, hit in pairs if not fits])),
        "num_answerable": float(sum(answerable)),
        "num_to_refuse": float(num_questions - sum(answerable)),
    }


def _measure_verification(model: LanguageModel, writing: Writing, num_questions: int) -> dict[str, float]:
    drawn = [sample_verified(random_stream("measure verification", number), "test") for number in range(num_questions)]
    answers = _ask(model, [writing.prompts.verify(quadruple) for quadruple, _ in drawn], writing.verify_sampling)
    said = [read_category(answer.text, TEXT_CATEGORIES) for answer in answers]
    right = [found == category for found, (_, category) in zip(said, drawn, strict=True)]
    return {"verification_accuracy": float(np.mean(right)), "num_verified": float(num_questions)}


def _measure_writer(profile: Profile, runtime: Runtime, num_questions: int) -> dict[str, float]:
    scenes = [_question("written", number)[0] for number in range(num_questions)]
    captions = list(dict.fromkeys(scene.caption for scene in scenes))
    fitting = {scene.caption for scene in scenes if any(applicable(scene, category) for category in TEXT_CATEGORIES)}
    with TemporaryDirectory() as name:
        folder, device = Path(name), str(runtime.device)
        write_rows(folder / "captions" / "00000.parquet", [Caption(caption=text) for text in captions], Caption)
        write_model_quadruples(folder / "captions", folder / "written", WRITER, profile, device)
        write_free_quadruples(num_questions, folder / "free", WRITER, profile, device)
        written, free = (list(read_rows(folder / source, Quadruple)) for source in ("written", "free"))
    return {
        "caption_quadruples_true": _share_true(written),
        "num_caption_quadruples": float(len(written)),
        "captions_with_quadruple": len(written) / max(1, len(fitting)),
        "num_captions_with_rule": float(len(fitting)),
        "free_quadruples_true": _share_true(free),
        "num_free_quadruples": float(len(free)),
    }


def _question(purpose: str, number: int) -> Asked:
    random = random_stream("measure language model", purpose, number)
    category = TEXT_CATEGORIES[number % len(TEXT_CATEGORIES)]
    return sample_asked_scene(random, category, "test"), category


def _ask(model: LanguageModel, chats: list[Chat], sampling: Sampling) -> list[ChatAnswer]:
    answers = model.answer([Request(chat=chat, seed=number) for number, chat in enumerate(chats)], sampling)
    for answer in answers:
        if answer.error:
            # What was not answered is not wrong.
            raise UnavailableError(answer.error)
    return answers


def _is_right(text: str, scene: Scene, category: str) -> bool:
    objects = json_objects(text)
    if not applicable(scene, category):
        return not objects and is_refusal(text)
    if not objects:
        return False
    try:
        return is_true(read_quadruple({**objects[0], "input_caption": scene.caption}, category, "", WRITER))
    except Rejection:
        return False


def _share_true(quadruples: list[Quadruple]) -> float:
    return float(np.mean([is_true(quadruple) for quadruple in quadruples])) if quadruples else 0.0
