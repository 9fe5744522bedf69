import http.server
import json
import logging
import threading

import pytest

from editfoundry.retraining.alert import MAX_CHARS, WEBHOOK_VARIABLE, alert_text, post_alert


@pytest.fixture
def webhook(monkeypatch):
    """A real server; yields the list of what was posted, and a function to set the status it answers with."""
    posted, status = [], [200]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status[0])
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv(WEBHOOK_VARIABLE, f"http://127.0.0.1:{server.server_port}/secret")
    yield posted, status
    server.shutdown()
    server.server_close()


def test_an_alert_is_one_line_with_job_step_and_cause():
    message = "dagster._core.definitions.events.Failure: data/captions: no table\nin this folder\n"
    text = alert_text("retraining", "0123456789ab", [("captions", message)])
    assert text == "retraining failed (run 01234567): captions: data/captions: no table in this folder"


def test_a_long_alert_is_cut():
    assert len(alert_text("retraining", "0" * 32, [("captions", "x" * 5000)])) == MAX_CHARS


def test_an_alert_is_posted_to_the_webhook(webhook):
    posted, _ = webhook
    assert post_alert("it failed")
    assert posted == [{"text": "it failed"}]


def test_a_webhook_that_refuses_or_is_away_raises_nothing_and_its_address_is_not_logged(webhook, monkeypatch, caplog):
    _, status = webhook
    status[0] = 500
    with caplog.at_level(logging.WARNING):
        assert not post_alert("it failed")
        monkeypatch.setenv(WEBHOOK_VARIABLE, "http://127.0.0.1:1/secret")
        assert not post_alert("it failed")
    assert "status 500" in caplog.text and "could not be posted" in caplog.text
    assert "secret" not in caplog.text


def test_without_a_webhook_nothing_is_posted(monkeypatch):
    monkeypatch.delenv(WEBHOOK_VARIABLE, raising=False)
    assert not post_alert("it failed")
