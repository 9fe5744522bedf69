"""Asks the model through the journal, so that nothing is asked twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from editfoundry.errors import UnavailableError
from editfoundry.pretrained.language_model import Answer, LanguageModel, Request, Sampling
from editfoundry.synthesis.quadruples.journal import Journal, journal_path, request_key

LoadModel = Callable[[], LanguageModel]
"""Gives the model; called when something must be asked, and cheap from the second time on."""


class Asker:
    """Asks for one shard; counts what its answers took, now or in an earlier run."""

    def __init__(
        self,
        load: LoadModel,
        model_name: str,
        shard: Path,
        requests_per_batch: int,
        told: Callable[[], None] = lambda: None,
    ) -> None:
        """``told`` is called at every answer that the model gives."""
        self._load, self._name, self._requests_per_batch, self._told = load, model_name, requests_per_batch, told
        self._journal = Journal(journal_path(shard))
        self.totals: dict[str, float] = {"num_requests": 0, "prompt_tokens": 0, "completion_tokens": 0}

    def __enter__(self) -> Asker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._journal.close()

    def ask(self, requests: Sequence[Request], sampling: Sampling) -> list[Answer]:
        """Answer every request, in order.

        Raises:
            UnavailableError: some request stayed without an answer; the answers to the others are kept.
            BadInputError: the model cannot be used at all.
        """
        keys = [request_key(self._name, request, sampling) for request in requests]
        missing = {key: request for key, request in zip(keys, requests, strict=True) if self._journal.get(key) is None}
        unasked = list(missing.items())
        for start in range(0, len(unasked), self._requests_per_batch):
            self._ask_batch(unasked[start : start + self._requests_per_batch], sampling)
        answers = [self._known(key) for key in keys]
        for answer in {key: self._known(key) for key in keys}.values():
            self.totals["num_requests"] += 1
            self.totals["prompt_tokens"] += answer.prompt_tokens
            self.totals["completion_tokens"] += answer.completion_tokens
        return answers

    def _ask_batch(self, batch: Sequence[tuple[str, Request]], sampling: Sampling) -> None:
        failures: list[str] = []

        def record(index: int, answer: Answer) -> None:
            if answer.error:
                failures.append(answer.error)
            else:
                self._journal.add(batch[index][0], answer)
            self._told()

        try:
            self._load().answer([request for _, request in batch], sampling, record)
        finally:
            self._journal.sync()
        if failures:
            raise UnavailableError(
                f"{len(failures)} of {len(batch)} requests stayed unanswered: {failures[0]}; "
                "run the same command again to go on where it stopped"
            )

    def _known(self, key: str) -> Answer:
        answer = self._journal.get(key)
        assert answer is not None
        return answer
