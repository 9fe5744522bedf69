from editfoundry.execution.progress import StageProgress


def told_of(total, *steps):
    told = []
    progress = StageProgress(lambda *numbers: told.append(numbers), total)
    for name, size, done in steps:
        progress.complete(name, size) if done is None else progress.within(name, size, done)
    return told


def test_shards_at_the_same_time_add_up():
    assert told_of(10, ("a", 6, 2), ("b", 4, 1), ("a", 6, None), ("b", 4, None)) == [
        (2, 10),
        (3, 10),
        (7, 10),
        (10, 10),
    ]


def test_a_number_never_falls_and_a_shard_counts_no_more_than_it_holds():
    assert told_of(10, ("a", 6, 3), ("a", 6, 1), ("a", 6, 9)) == [(3, 10), (3, 10), (6, 10)]


def test_the_end_is_told_once_and_an_unknown_total_never():
    assert told_of(2, ("a", 2, 2), ("a", 2, 2), ("a", 2, None)) == [(2, 2)]
    assert told_of(None, ("a", 2, 1), ("a", 2, None)) == told_of(0, ("a", 0, None)) == []
