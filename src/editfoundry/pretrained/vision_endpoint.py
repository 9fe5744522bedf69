"""A vision-language model behind an OpenAI-compatible chat endpoint: pictures go out as ``data:`` addresses."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from editfoundry.data.png import encode_png
from editfoundry.data.record import short_hash
from editfoundry.errors import UnavailableError
from editfoundry.pretrained.asking import are_few
from editfoundry.pretrained.chat import FAILED, ChatAnswer, Message, Request, Sampling
from editfoundry.pretrained.endpoint_usage import EndpointUsage
from editfoundry.pretrained.journal import JUDGE_SUFFIX, Journal, journal_path, request_key
from editfoundry.pretrained.openai_endpoint import OpenAIEndpoint, open_endpoint
from editfoundry.profiles import ModelReference


@dataclass(frozen=True)
class VisionEndpoint:
    """Asks an endpoint about pictures; several pictures of a prompt are shown one after the other."""

    endpoint: OpenAIEndpoint
    journal: Journal | None = None
    """What it has answered about the shard at hand, in this run or one that was stopped."""
    recalled: EndpointUsage = field(default_factory=lambda: EndpointUsage(None, 0.0))
    """What the answers took that came from journals."""
    ends: Counter[str] = field(default_factory=Counter)
    """How many answers of this run, those from journals too, had which finish reason."""

    @contextmanager
    def remembering(self, shard: Path) -> Iterator[VisionEndpoint]:
        """Yield the same endpoint with a journal beside a shard, so that a run which is stopped asks nothing twice."""
        journal = Journal(journal_path(shard, JUDGE_SUFFIX))
        try:
            yield replace(self, journal=journal)
        finally:
            journal.close()

    @property
    def name(self) -> str:
        """Model @ revision, as provenance records it."""
        return self.endpoint.name

    @property
    def usage(self) -> EndpointUsage:
        """What was asked so far."""
        return self.endpoint.usage

    def generate(
        self, images: Sequence[Sequence[Image.Image]], prompts: Sequence[str], max_new_tokens: int = 64
    ) -> list[str]:
        """Return the answer to each prompt, empty where the endpoint refuses; see `answer`."""
        answers = self.answer(images, prompts, max_new_tokens)
        return ["" if answer.was_turned_down else answer.text.strip() for answer in answers]

    def answer(
        self,
        images: Sequence[Sequence[Image.Image]],
        prompts: Sequence[str],
        max_tokens: int,
        bodies: Sequence[Mapping[str, Any] | None] = (),
        attempt: int = 0,
    ) -> list[ChatAnswer]:
        """Ask each prompt about its pictures, several at once, at temperature 0.

        Args:
            images: for each prompt its RGB pictures, in order.
            prompts: what is asked.
            max_tokens: of an answer.
            bodies: for each prompt further fields of its request, where there are any.
            attempt: which time the same is asked; another seed is sent each time.

        Raises:
            UnavailableError: some prompts stayed without an answer, or the endpoint has failed at a good part of all.
            BadInputError: the endpoint cannot be used at all, or the run has cost what it may.
        """
        urls = self._addresses(images)
        requests = [
            Request(
                chat=(Message("user", prompt, tuple(urls[id(picture)] for picture in row)),),
                seed=int(short_hash(prompt, *(urls[id(picture)] for picture in row), str(attempt)), 16) % 2**31,
                body=body,
            )
            for row, prompt, body in zip(images, prompts, bodies or [None] * len(prompts), strict=True)
        ]
        sampling = Sampling(temperature=0.0, max_tokens=max_tokens, frequency_penalty=0.0)
        answers = self._recalled_or_asked(requests, sampling)
        unanswered = [answer.error for answer in answers if answer.error]
        if unanswered:
            raise UnavailableError(
                f"{len(unanswered)} of {len(answers)} questions about pictures stayed unanswered: {unanswered[0]}; "
                "run the same command again to go on where it stopped"
            )
        self._check_failures(answers)
        return answers

    def _check_failures(self, answers: Sequence[ChatAnswer]) -> None:
        """Raise UnavailableError where it is the endpoint that is at fault rather than some prompts."""
        self.ends.update(answer.finish_reason for answer in answers)
        failed = next((answer.text for answer in answers if answer.finish_reason == FAILED), None)
        num_failed, num_asked = self.ends[FAILED], self.ends.total()
        if failed is not None and not are_few(num_failed, num_asked - num_failed):
            raise UnavailableError(
                f"{num_failed} of {num_asked} questions about pictures failed: {failed}; "
                "run the same command again when the endpoint is mended"
            )

    def _recalled_or_asked(self, requests: Sequence[Request], sampling: Sampling) -> list[ChatAnswer]:
        if self.journal is None:
            return self.endpoint.answer(requests, sampling)
        journal = self.journal
        keys = [request_key(self.name, request, sampling) for request in requests]
        missing = [place for place, key in enumerate(keys) if journal.get(key) is None]
        for place in sorted(set(range(len(keys))) - set(missing)):
            self.recalled.add(journal.get(keys[place]) or ChatAnswer())

        def record(index: int, answer: ChatAnswer) -> None:
            if not answer.error and answer.finish_reason != FAILED:
                journal.add(keys[missing[index]], answer)

        try:
            asked = self.endpoint.answer([requests[place] for place in missing], sampling, record)
        finally:
            journal.sync()
        answers = dict(zip(missing, asked, strict=True))
        return [answers.get(place) or journal.get(key) or ChatAnswer() for place, key in enumerate(keys)]

    def _addresses(self, images: Sequence[Sequence[Image.Image]]) -> dict[int, str]:
        """Return each distinct picture's ``data:`` address, by its ``id``; large ones are scaled down first."""
        side = self.endpoint.settings.max_image_side
        return {key: _data_url(picture, side) for key, picture in {id(p): p for row in images for p in row}.items()}


def open_vision_endpoint(reference: ModelReference) -> VisionEndpoint:
    """Make a client of the profile's endpoint; nothing is sent yet.

    Raises:
        BadInputError: the endpoint's settings are incomplete or malformed.
    """
    return VisionEndpoint(open_endpoint(reference))


def _data_url(picture: Image.Image, max_side: int) -> str:
    if max(picture.size) > max_side:
        picture = picture.copy()
        picture.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    return f"data:image/png;base64,{base64.b64encode(encode_png(picture)).decode()}"
