"""What an editor is asked for, what it answers, and how a batch of requests is edited without taking it on trust."""

from __future__ import annotations

import dataclasses
import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from editfoundry.editors.holes import hole_at_size
from editfoundry.errors import BadInputError, OutOfMemoryError, Rejection
from editfoundry.pretrained.out_of_memory import free_memory, is_out_of_memory

if TYPE_CHECKING:
    from editfoundry.editors.editor_family import EditorSource

MISSING_PARTS: Mapping[str, str] = {
    "mask": "no-mask",
    "input_caption": "no-caption",
    "output_caption": "no-caption",
    "task": "no-task",
    "truth": "no-truth",
}
"""Part of a request that an editor may need -> reason for which a request without it is rejected."""
_NOT_FINITE = "invalid value encountered in cast"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Turn:
    """One earlier edit of a session."""

    image: Image.Image
    """RGB, the picture that was edited."""
    instruction: str


@dataclass(frozen=True, kw_only=True, eq=False)
class EditRequest:
    """One edit that is asked for. An editor looks only at the parts that its family says it reads."""

    image: Image.Image
    """RGB, any size."""
    instruction: str
    seed: int = 0
    """Of the noise."""
    id: str = ""
    """Names the request in messages."""
    mask: Image.Image | None = None
    """8-bit grey of the picture's size, white where to edit."""
    input_caption: str | None = None
    """What the picture shows."""
    output_caption: str | None = None
    """What the edit must show."""
    task: str | None = None
    """One of Emu Edit's 16 tasks."""
    history: tuple[Turn, ...] = ()
    """The session's earlier turns, in order."""
    truth: Image.Image | None = None
    """RGB of the picture's size: the right answer, which only the upper bound ``truth`` reads."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of this edit alone, over the editor's; only the family's ``per_request_options``."""

    def at_size(self, size: tuple[int, int], cell: int = 1) -> EditRequest:
        """Return the request with picture and mask at (width, height) ``size``, in pixels.

        A mask of another size becomes its hole, in cells of ``cell`` pixels; see `hole_at_size`.
        """
        mask = self.mask if self.mask is None or self.mask.size == size else hole_at_size(self.mask, size, cell)
        return dataclasses.replace(self, image=resized(self.image.convert("RGB"), size), mask=mask)


@dataclass(frozen=True)
class EditWords:
    """What an editor said of an edit before it made it."""

    text: str
    """Such as MGIE's expressive instruction."""
    note: str = ""
    """What was amiss with it, in a word, for example ``endless``; empty where nothing was."""

    def to_dict(self) -> dict[str, str]:
        """Return the words, and the note where there is one, as JSON values."""
        return {"text": self.text, **({"note": self.note} if self.note else {})}


@dataclass(frozen=True, eq=False)
class WordedEdit:
    """What a family whose editors explain themselves returns for a request."""

    image: Image.Image
    words: EditWords


@dataclass(frozen=True)
class EditResult:
    """What came of one request: a picture, or the reason why there is none."""

    image: Image.Image | None
    """RGB, the size of the request's picture."""
    failure: str | None = None
    """``crashed``, ``wrong-count``, ``wrong-type``, ``wrong-size``, ``not-finite``, a value of ``MISSING_PARTS``, or
    the family's own reason."""
    detail: str = ""
    error: Exception | None = None
    """Where the editor crashed."""
    words: EditWords | None = None
    """Of editors that explain themselves."""

    def require(self) -> Image.Image:
        """Return the picture, or raise what stopped the edit: the crash itself, otherwise a BadInputError."""
        if self.image is not None:
            return self.image
        if self.error is not None:
            raise self.error
        raise BadInputError(f"{self.failure}: {self.detail}" if self.detail else str(self.failure))


@dataclass(frozen=True, kw_only=True, eq=False)
class Editor:
    """An opened editor: a family's way of editing, a model on its device, and the options of the sampling."""

    source: EditorSource
    """Where it was opened from: its name, its family, its identity."""
    model: Any = None
    """What the family loads, for example a diffusers pipeline."""
    options: Any
    """An instance of the family's options class: all options, with the values in force."""

    @property
    def name(self) -> str:
        """As the person named it."""
        return self.source.name

    def with_options(self, **given: Any) -> Editor:
        """Return this editor with some options changed.

        Raises:
            BadInputError: it has no such option, or the option cannot have that value.
        """
        return dataclasses.replace(self, options=self.source.options(given, self.options))

    def edit(self, requests: Sequence[EditRequest]) -> list[EditResult]:
        """Edit a batch and return one `EditResult` a request, in their order.

        A request that lacks what the editor needs is rejected alone. When a batch fails as a whole, its requests are
        edited one by one to find out which do. When memory runs out, the batch is halved; a request that does not fit
        alone is no failed edit.

        Args:
            requests: pictures of any sizes.

        Raises:
            OutOfMemoryError: one request alone does not fit into memory.
            BadInputError: a request has an option that only the whole editor can have, or one of the wrong kind.
        """
        edits: dict[int, EditResult] = {}
        for place, request in enumerate(requests):
            fixed = set(request.options) - set(self.source.family.per_request_options)
            if fixed:
                raise BadInputError(f"{self.name}: {min(fixed)} cannot differ from request to request")
            if request.options:
                self.source.options(request.options, self.options)
            lacking = next((part for part in self.source.family.needs if not _has(request, part)), None)
            if lacking is not None:
                edits[place] = _lacking(self, request, lacking)
        complete = [place for place in range(len(requests)) if place not in edits]
        made = self._edit_batch([requests[place] for place in complete])
        edits.update(zip(complete, made, strict=True))
        return [edits[place] for place in range(len(requests))]

    def _edit_batch(self, requests: Sequence[EditRequest]) -> list[EditResult]:
        if not requests:
            return []
        try:
            outputs = self._call(requests)
        except Rejection as problem:
            if len(requests) == 1:
                cause = problem.__cause__
                return [
                    EditResult(None, problem.reason, problem.detail, cause if isinstance(cause, Exception) else None)
                ]
            smaller = 1
        except _BatchTooLarge as error:
            if len(requests) == 1:
                raise OutOfMemoryError(_does_not_fit(self, requests[0])) from error
            smaller = len(requests) // 2
        else:
            return [_checked(output, request.image.size) for output, request in zip(outputs, requests, strict=True)]
        # Here, where the error and with it the tensors of the failed batch are gone.
        free_memory()
        parts = [requests[start : start + smaller] for start in range(0, len(requests), smaller)]
        return [edit for part in parts for edit in self._edit_batch(part)]

    def _call(self, requests: Sequence[EditRequest]) -> Sequence[object]:
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.filterwarnings("always", _NOT_FINITE)
                outputs = list(self.source.family.edit(self, requests))
        except Rejection:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise _BatchTooLarge from error
            if not isinstance(error, BadInputError):
                _log.warning("the editor crashed on %s", ", ".join(r.id for r in requests), exc_info=True)
            raise Rejection("crashed", f"{type(error).__name__}: {error}") from error
        _check_warnings(caught)
        if len(outputs) != len(requests):
            raise Rejection("wrong-count", f"{len(outputs)} images for {len(requests)} inputs")
        return outputs


def resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return ``image`` at (width, height) ``size`` by Lanczos, or itself where it has that size."""
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


class _BatchTooLarge(Exception):
    """The device has too little memory for a batch."""


def _has(request: EditRequest, part: str) -> bool:
    value = getattr(request, part)
    return value is not None and value != ""


def _lacking(editor: Editor, request: EditRequest, part: str) -> EditResult:
    what = "true outcome" if part == "truth" else part
    return EditResult(None, MISSING_PARTS[part], f"{request.id} has no {what}, which {editor.name} edits by".strip())


def _does_not_fit(editor: Editor, request: EditRequest) -> str:
    width, height = request.image.size
    what = f"{request.id}: " if request.id else ""
    return (
        f"{what}out of memory: {editor.name} does not fit one edit of {width}x{height} into memory; name a smaller "
        "editor, another --device, or smaller pictures"
    )


def _check_warnings(caught: Sequence[warnings.WarningMessage]) -> None:
    """Refuse what a pipeline made of numbers that are not finite: black pixels, which numpy alone remarks on."""
    if any(_NOT_FINITE in str(warning.message) for warning in caught):
        raise Rejection("not-finite", "the editor's pixels are not finite")
    for warning in caught:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def _checked(output: object, size: tuple[int, int]) -> EditResult:
    if isinstance(output, WordedEdit):
        return dataclasses.replace(_checked(output.image, size), words=output.words)
    if not isinstance(output, Image.Image):
        return EditResult(None, "wrong-type", f"{type(output).__name__} is no PIL image")
    width, height = size
    if output.size != size:
        return EditResult(None, "wrong-size", f"{output.width}x{output.height} instead of {width}x{height}")
    if output.mode == "F" and not np.isfinite(np.asarray(output)).all():
        return EditResult(None, "not-finite", "the image has pixels that are not finite")
    return EditResult(output.convert("RGB"))
