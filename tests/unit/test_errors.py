from editfoundry.errors import one_line


def test_an_error_is_told_on_one_line_and_a_long_one_ends_between_two_words():
    error = ValueError("cannot be loaded:\n  no such revision")
    assert one_line(error) == "cannot be loaded: no such revision"
    assert one_line(error, 30) == "cannot be loaded: no such ..."
    assert one_line(error, 34) == "cannot be loaded: no such revision"
    assert one_line(KeyError()) == "KeyError"
