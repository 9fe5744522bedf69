import socket

from editfoundry.tracking.ports import LOOPBACK, free_port, is_free, is_serving


def test_a_port_in_use_is_passed_over():
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
        assert not is_free(port)
        assert is_serving(port)
        assert free_port(port) > port


def test_a_promised_port_is_passed_over():
    first = free_port(23000)
    assert free_port(first, taken=[first]) > first


def test_a_port_whose_companion_is_in_use_is_passed_over():
    with socket.create_server((LOOPBACK, 0)) as listener:
        companion = listener.getsockname()[1]
        assert free_port(companion - 1, offsets=(0, 1)) != companion - 1


def test_nobody_serves_a_free_port():
    assert not is_serving(free_port(24000))
