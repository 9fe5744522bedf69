"""Asks the model through the journal, so that nothing is asked twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from editfoundry.errors import UnavailableError
from editfoundry.pretrained.chat import FAILED, WAITING, ChatAnswer, LanguageModel, Request, Sampling
from editfoundry.pretrained.journal import Journal, journal_path, request_key
from editfoundry.profiles import ENDPOINT

MAX_FAILED = 3
ANSWERED_PER_FAILED = 4
"""So many requests may be failed at, and one more for so many answered: more, and the model is at fault."""

LoadModel = Callable[[], LanguageModel]
"""Gives the model; called when something must be asked, and cheap from the second time on."""


def are_few(num_failed: int, num_answered: int) -> bool:
    """Return whether it is prompts that are at fault, rather than a model that fails at a good part of them all."""
    return num_failed <= MAX_FAILED + num_answered // ANSWERED_PER_FAILED


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
        self.asks_endpoint = model_name.startswith(f"{ENDPOINT}:")
        """Local weights always say the same to the same question; whoever runs an endpoint may not."""
        self.totals: dict[str, float] = {"num_requests": 0, "prompt_tokens": 0, "completion_tokens": 0}

    def __enter__(self) -> Asker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._journal.close()

    def ask(self, requests: Sequence[Request], sampling: Sampling) -> list[ChatAnswer]:
        """Answer every request, in order.

        Raises:
            UnavailableError: some request stayed without an answer; the answers to the others are kept.
            BadInputError: the model cannot be used at all.
        """
        keys = [request_key(self._name, request, sampling) for request in requests]
        missing = {key: request for key, request in zip(keys, requests, strict=True) if self._journal.get(key) is None}
        unasked, waiting = list(missing.items()), []
        for start in range(0, len(unasked), self._requests_per_batch):
            waiting += self._ask_batch(unasked[start : start + self._requests_per_batch], sampling)
        if waiting:
            raise _unanswered(waiting, len(unasked))
        answers = [self._known(key) for key in keys]
        for answer in {key: self._known(key) for key in keys}.values():
            self.totals["num_requests"] += 1
            self.totals["prompt_tokens"] += answer.prompt_tokens
            self.totals["completion_tokens"] += answer.completion_tokens
        return answers

    def _ask_batch(self, batch: Sequence[tuple[str, Request]], sampling: Sampling) -> list[str]:
        """Ask a batch; return why requests of it wait in files, while others can still be written."""
        unanswered: list[str] = []
        waiting: list[str] = []
        failed: list[tuple[str, ChatAnswer]] = []

        def record(index: int, answer: ChatAnswer) -> None:
            key = batch[index][0]
            if answer.finish_reason == WAITING:
                waiting.append(answer.error)
            elif answer.error:
                unanswered.append(answer.error)
            elif answer.finish_reason == FAILED:
                failed.append((key, answer))
            else:
                self._journal.add(key, answer)
            self._told()

        try:
            self._load().answer([request for _, request in batch], sampling, record)
            num_before = self._journal.count(FAILED)
            if are_few(num_before + len(failed), len(self._journal) - num_before):
                for key, answer in failed:
                    self._journal.add(key, answer)
            else:
                unanswered += [answer.text for _, answer in failed]
        finally:
            self._journal.sync()
        if unanswered:
            raise _unanswered(unanswered, len(batch))
        return waiting

    def _known(self, key: str) -> ChatAnswer:
        answer = self._journal.get(key)
        assert answer is not None
        return answer


def _unanswered(reasons: Sequence[str], count: int) -> UnavailableError:
    return UnavailableError(
        f"{len(reasons)} of {count} requests stayed unanswered: {reasons[0]}; "
        "run the same command again to go on where it stopped"
    )
