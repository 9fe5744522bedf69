"""What a model has answered already, kept beside the shard until that is complete: a writer's answers or a judge's."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import asdict, replace
from pathlib import Path

from editfoundry.data.atomic import room_for
from editfoundry.data.hashing import input_hash
from editfoundry.pretrained.chat import AnswerToken, ChatAnswer, Request, Sampling

SUFFIX = ".journal.jsonl"
JUDGE_SUFFIX = ".judge" + SUFFIX


def journal_path(shard: Path, suffix: str = SUFFIX) -> Path:
    """Return where a shard's journal is: ``00000.journal.jsonl`` for ``00000.parquet``."""
    return shard.with_name(shard.name.split(".")[0] + suffix)


def request_key(model: str, request: Request, sampling: Sampling) -> str:
    """Return the hash of everything that shapes an answer."""
    return input_hash(model, request, sampling)


class Journal:
    """An append-only JSONL file of answers by their requests' keys.

    Every answer is handed to the operating system at once, so that a killed process loses none; ``sync`` makes them
    outlive the machine. A line that was torn all the same is dropped.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._answers = _read(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def get(self, key: str) -> ChatAnswer | None:
        """Return the answer to a request that was asked before."""
        return self._answers.get(key)

    def __len__(self) -> int:
        """Return the number of answers."""
        return len(self._answers)

    def count(self, finish_reason: str) -> int:
        """Return how many answers ended so."""
        return sum(answer.finish_reason == finish_reason for answer in self._answers.values())

    def add(self, key: str, answer: ChatAnswer) -> None:
        """Record an answer.

        Raises:
            NoSpaceError: the disk is full.
        """
        self._answers[key] = answer
        told = {name: value for name, value in asdict(replace(answer, tokens=())).items() if name != "tokens"}
        tokens = [[token.text, dict(token.log_probabilities)] for token in answer.tokens]
        line = json.dumps({"key": key, **told, **({"tokens": tokens} if tokens else {})}, ensure_ascii=False) + "\n"
        # One write, so that a kill leaves the whole line or nothing.
        with room_for(self.path):
            data = line.encode()
            if os.write(self._file, data) < len(data):
                raise OSError(errno.ENOSPC, "only a part was written")

    def sync(self) -> None:
        """Wait until all answers are on the disk."""
        with room_for(self.path):
            os.fsync(self._file)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _read(path: Path) -> dict[str, ChatAnswer]:
    """Read a journal's whole lines, and cut off a torn last one, to which the next would be glued."""
    if not path.exists():
        return {}
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.truncate(path, whole)
    answers = {}
    for line in data[:whole].splitlines():
        try:
            fields = json.loads(line)
            key = str(fields.pop("key"))
            tokens = tuple(AnswerToken(text, likeliest) for text, likeliest in fields.pop("tokens", ()))
            answers[key] = ChatAnswer(**fields, tokens=tokens)
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
    return answers
