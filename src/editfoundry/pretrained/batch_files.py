"""Requests written to a file and answers read from one, as batch APIs of OpenAI's kind take and give them.

Such APIs answer within a day and for half of the price. Who submits the file and fetches the answers is a person or a
script of theirs: nothing is sent from here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editfoundry.data.atomic import atomic_file
from editfoundry.data.hashing import input_hash
from editfoundry.data.untrusted import parse_json, with_whole_escapes
from editfoundry.errors import BadInputError
from editfoundry.pretrained.chat import REFUSED, WAITING, ChatAnswer
from editfoundry.pretrained.chat_completion import BrokenAnswer, PromptRefused, read_answer

_REQUESTS = ".requests.jsonl"
_ADDRESS = "/v1/chat/completions"


@dataclass(frozen=True)
class BatchFiles:
    """A folder of files of requests, written here, and of files of answers, put there by somebody else."""

    folder: Path

    def answer(self, bodies: Sequence[Mapping[str, Any]], max_tokens: int) -> list[ChatAnswer]:
        """Return the answers that are there; the other requests are written to a file, and have an ``error``.

        Args:
            bodies: the requests, as they would be sent one by one; the same body has the same answer.
            max_tokens: what was asked for.

        Raises:
            BadInputError: a file of answers is none.
        """
        keys = [input_hash("batch", dict(body)) for body in bodies]
        told = self._told()
        answers = {key: _answer(told[key], max_tokens) for key in keys if key in told}
        # One that broke is asked for again under the same name, and the last answer counts.
        waiting = {key: body for key, body in zip(keys, bodies, strict=True) if answers.get(key) is None}
        path = self._write(waiting) if waiting else None
        reason = f"{path} waits to be submitted, and its answers to be put beside it as a .jsonl file"
        missing = ChatAnswer(finish_reason=WAITING, error=reason)
        return [answers.get(key) or missing for key in keys]

    def _write(self, waiting: Mapping[str, Mapping[str, Any]]) -> Path:
        """Write the requests to a file named by what is in it, so that the same ones are written once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{input_hash('batch file', sorted(waiting))[:16]}{_REQUESTS}"
        rows = ({"custom_id": k, "method": "POST", "url": _ADDRESS, "body": dict(b)} for k, b in waiting.items())
        with atomic_file(path) as file:
            for row in rows:
                file.write((json.dumps(row, ensure_ascii=False) + "\n").encode())
        return path

    def _told(self) -> dict[str, dict[str, Any]]:
        """Return request -> what came of it, of all files of answers; a later file goes before an earlier one."""
        found = (path for path in self.folder.glob("*.jsonl") if not path.name.endswith(_REQUESTS))
        files = sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))
        return {str(row.get("custom_id")): row for path in files for row in _rows(path)}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = parse_json(with_whole_escapes(line.decode("utf-8-sig")))
            except ValueError as error:
                raise BadInputError(f"{path}: line {number} is no JSON ({error}); fetch the answers again") from error
            if not isinstance(row, dict) or "custom_id" not in row:
                raise BadInputError(f"{path}: line {number} has no custom_id; put files of answers here, and no others")
            yield row


def _answer(row: Mapping[str, Any], max_tokens: int) -> ChatAnswer | None:
    """Read what came of a request; None where that is nothing, and it must be asked again."""
    response = row.get("response")
    body = response.get("body") if isinstance(response, dict) else None
    if not isinstance(body, dict):
        return None
    try:
        return read_answer([json.dumps(body).encode()], math.inf, max_tokens)
    except PromptRefused as error:
        return ChatAnswer(text=" ".join(str(error).split())[:300], finish_reason=REFUSED)
    except BrokenAnswer:
        return None
