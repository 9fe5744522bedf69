import pytest
import torch

from editfoundry.pretrained.passes import Passes


def runs(passes: Passes, count: int, room: int) -> tuple[list[int], list[int]]:
    """Run on a device that holds ``room`` pictures; return what came of each, and the passes' sizes."""
    sizes = []

    def do(part: slice) -> list[int]:
        sizes.append(part.stop - part.start)
        if sizes[-1] > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return list(range(part.start, part.stop))

    return [place for part in passes.run(count, do) for place in part], sizes


def test_a_cpu_takes_all_at_once():
    assert runs(Passes(), 7, room=99) == ([0, 1, 2, 3, 4, 5, 6], [7])


def test_no_pass_is_larger_than_said_and_their_order_is_kept():
    assert runs(Passes(3), 7, room=99) == ([0, 1, 2, 3, 4, 5, 6], [3, 3, 1])


def test_a_pass_that_does_not_fit_is_halved_and_the_next_ones_start_smaller():
    passes = Passes()
    assert runs(passes, 8, room=3) == ([0, 1, 2, 3, 4, 5, 6, 7], [8, 4, 2, 2, 2, 2])
    assert runs(passes, 4, room=3)[1] == [2, 2]


def test_one_picture_that_does_not_fit_alone_and_any_other_error_are_told():
    with pytest.raises(torch.OutOfMemoryError):
        runs(Passes(), 4, room=0)

    def broken(part: slice) -> None:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        Passes().run(4, broken)


def test_nothing_takes_no_pass():
    assert runs(Passes(), 0, room=1) == ([], [])
