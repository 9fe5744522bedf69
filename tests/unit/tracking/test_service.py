import os
import signal
import socket
import sys
from contextlib import ExitStack

from editfoundry.tracking.ports import free_port
from editfoundry.tracking.service import bring_up

LATE = """\
import http.server, sys, time
time.sleep(0.5)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


def launch(root, command, started, preferred=28_500):
    return bring_up(
        "Late",
        free_port(preferred),
        command,
        root=root,
        environment=dict(os.environ),
        stop_signal=signal.SIGTERM,
        started=started,
    )


def test_a_port_that_somebody_takes_meanwhile_is_given_up_for_the_next_one(tmp_path):
    launched = []
    with ExitStack() as stack:

        def take_the_first(service):
            stack.callback(service.stop)
            if not launched:
                stack.enter_context(socket.create_server(("127.0.0.1", service.port)))
            launched.append(service)

        service = launch(tmp_path, lambda port: [sys.executable, "-c", LATE, str(port)], take_the_first)
        assert service.is_up()
        assert [s.process.poll() is None for s in launched] == [False, True]
        # Somebody serves the first port, but not the process that was launched for it.
        assert not launched[0].is_up()
        assert service.port > launched[0].port
    assert not service.is_up()


def test_a_service_that_fails_by_itself_is_not_tried_again_and_leaves_its_log(tmp_path):
    launched = []
    service = launch(
        tmp_path, lambda port: [sys.executable, "-c", "raise SystemExit('no such table')"], launched.append
    )
    assert not service.is_up()
    assert len(launched) == 1
    assert service.log.read_text() == "no such table\n"
