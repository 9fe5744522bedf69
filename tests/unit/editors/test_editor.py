"""A batch that is not taken on trust: what fails, alone or together, what lacks something, what does not fit."""

import numpy as np
import pytest
import torch
from function_editors import editor_of, request
from PIL import Image

from editfoundry.editors.editor import EditRequest, EditResult
from editfoundry.errors import BadInputError, OutOfMemoryError, Rejection

PICTURE = Image.new("RGB", (4, 3), "red")


def requests_of(*ids: str) -> list[EditRequest]:
    return [request(PICTURE, id=identifier) for identifier in ids]


def test_a_failing_request_fails_alone_and_the_crash_is_kept() -> None:
    sizes = []

    def edit(requests):
        sizes.append(len(requests))
        if "b" in [r.id for r in requests]:
            raise KeyError("paint")
        return [r.image for r in requests]

    edits = editor_of(edit).edit(requests_of("a", "b", "c"))
    assert [e.failure for e in edits] == [None, "crashed", None] and sizes == [3, 1, 1, 1]
    assert edits[1].detail == "KeyError: 'paint'"
    with pytest.raises(KeyError, match="paint"):
        edits[1].require()
    assert edits[0].require().size == (4, 3)


def test_bad_input_that_an_editor_refuses_is_told_without_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    def edit(requests):
        raise BadInputError("no such sampler")

    [edited] = editor_of(edit).edit(requests_of("a"))
    with pytest.raises(BadInputError, match="no such sampler"):
        edited.require()
    assert edited.failure == "crashed" and not caplog.records


def test_the_order_is_kept_where_some_requests_lack_what_is_needed() -> None:
    editor = editor_of(lambda requests: [r.image.point(lambda v: v // 2) for r in requests], needs=("mask",))
    mask = Image.new("L", (4, 3), 255)
    edits = editor.edit([request(PICTURE, id="x"), request(PICTURE, mask=mask), request(PICTURE, id="y")])
    assert [e.failure for e in edits] == ["no-mask", None, "no-mask"]
    assert edits[2].detail == "y has no mask, which test edits by"
    assert editor.edit([]) == []


def test_a_family_may_have_reasons_of_its_own() -> None:
    def edit(requests):
        raise Rejection("unsafe", "the safety checker refused it")

    [edited] = editor_of(edit).edit(requests_of("a"))
    assert (edited.failure, edited.detail) == ("unsafe", "the safety checker refused it")
    with pytest.raises(BadInputError, match="unsafe: the safety checker"):
        edited.require()


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("MPS backend out of memory"),
        MemoryError(),
    ],
)
def test_too_little_memory_is_no_failed_edit(error: Exception) -> None:
    sizes, edits = edited_two_at_once("abc", error)
    assert sizes == [3, 1, 1, 1]
    assert all(e.failure is None for e in edits)


def test_too_little_memory_halves_the_batch_until_one_edit_does_not_fit() -> None:
    sizes, _ = edited_two_at_once("abcdefg", MemoryError())
    assert sizes == [7, 3, 1, 1, 1, 3, 1, 1, 1, 1]
    with pytest.raises(OutOfMemoryError, match="a: out of memory: test does not fit one edit of 4x3 into memory"):
        edited_two_at_once("ab", MemoryError(), limit=0)


def edited_two_at_once(names: str, error: Exception, limit: int = 2) -> tuple[list[int], list[EditResult]]:
    """Return the sizes of the batches that were tried with memory for ``limit`` requests, and the edits."""
    sizes = []

    def edit(requests):
        sizes.append(len(requests))
        if len(requests) > limit:
            raise error
        return [r.image for r in requests]

    return sizes, editor_of(edit).edit(requests_of(*names))


def test_a_real_allocation_that_fails_is_known_for_one() -> None:
    def edit(requests):
        torch.empty(2**60, dtype=torch.uint8)
        return []

    with pytest.raises(OutOfMemoryError):
        editor_of(edit).edit(requests_of("a"))


def test_pixels_that_are_not_finite_and_other_sizes_are_no_edits() -> None:
    nan = np.full((3, 4), np.nan, np.float32)
    outputs = {
        "nan": Image.fromarray(nan),
        "wide": Image.new("RGB", (5, 3)),
        "array": nan,
        "grey": Image.new("L", (4, 3)),
    }
    edits = editor_of(lambda requests: [outputs[r.id] for r in requests]).edit(requests_of(*outputs))
    assert [e.failure for e in edits] == ["not-finite", "wrong-size", "wrong-type", None]
    assert edits[3].require().mode == "RGB"
    with pytest.raises(BadInputError, match="wrong-size: 5x3 instead of 4x3"):
        edits[1].require()
