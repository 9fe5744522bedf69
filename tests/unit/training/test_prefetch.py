import threading

import pytest

from editfoundry.training.prefetch import made_ahead


def test_what_is_made_ahead_comes_in_order_and_from_another_thread() -> None:
    with made_ahead(lambda number: (number * number, threading.current_thread()), range(20), num_ahead=3) as made:
        found = list(made)
    assert [value for value, _ in found] == [number * number for number in range(20)]
    assert {thread for _, thread in found}.isdisjoint({threading.current_thread()})


def test_no_more_is_begun_than_was_asked_for_ahead() -> None:
    begun: list[int] = []
    with made_ahead(lambda number: begun.append(number), range(100), num_ahead=2) as made:
        for _ in range(5):
            next(made)
    assert 5 <= len(begun) <= 7 and begun == list(range(len(begun)))


def test_what_goes_wrong_is_raised_where_its_result_is_asked_for() -> None:
    with made_ahead(lambda number: 6 // (3 - number), range(6)) as made:
        assert [next(made) for _ in range(3)] == [2, 3, 6]
        with pytest.raises(ZeroDivisionError):
            next(made)


def test_a_block_that_ends_early_leaves_no_thread() -> None:
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt), made_ahead(str, range(10)) as made:
        next(made)
        raise KeyboardInterrupt
    assert threading.active_count() == before
