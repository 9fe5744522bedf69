"""Asks the model which category a quadruple is of; it must agree with what the quadruple was written for."""

from __future__ import annotations

from collections.abc import Sequence

from editfoundry.data.record import Quadruple
from editfoundry.pretrained.language_model import Request
from editfoundry.synthesis.quadruples.answers import read_category
from editfoundry.synthesis.quadruples.asking import Asker
from editfoundry.synthesis.quadruples.seeding import seed_of
from editfoundry.synthesis.quadruples.writing import Writing


def agreeing(quadruples: Sequence[Quadruple], writing: Writing, asker: Asker) -> list[bool]:
    """Return for each quadruple whether the model, asked without being told, names its category.

    Without ``verify`` in the configuration nothing is asked, and all agree.
    """
    if not writing.config.verify:
        return [True] * len(quadruples)
    seed = writing.config.seed
    requests = [Request(chat=writing.prompts.verify(q), seed=seed_of("verify", seed, q.id)) for q in quadruples]
    answers = asker.ask(requests, writing.verify_sampling)
    categories = list(writing.prompts.exemplars.categories)
    return [read_category(a.text, categories) == q.category for a, q in zip(answers, quadruples, strict=True)]
