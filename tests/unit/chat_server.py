"""A real HTTP server on 127.0.0.1 that speaks the chat-completions protocol, well or badly."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-very-secret"


@dataclass
class Reply:
    """What the server does with one request."""

    text: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    error: Any = None
    """The value of ``error`` in the body."""
    raw: bytes | None = None
    """A body instead of the protocol's."""
    cut: bool = False
    """Close the connection in the middle of the answer."""
    no_end: bool = False
    """Close a stream properly, but before the answer has ended."""
    error_event: Any = None
    """Sent in the middle of a stream."""
    logprobs: list[dict[str, Any]] | None = None
    """Tokens of the answer with their alternatives, where the request asks for them."""
    usage: bool = True
    drip_headers: bool = False
    """Send a byte of the headers every 0.1 s, for ever."""
    drip_body: bool = False
    """Send a byte of the body every 0.1 s, for ever; the headers at once."""


Respond = Callable[[dict[str, Any], int], Reply]
"""The request's body, and how often the same body came before."""


class ChatServer(ThreadingHTTPServer):
    """Records all request bodies."""

    daemon_threads = True

    def __init__(self, respond: Respond) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.respond = respond
        self.bodies: list[dict[str, Any]] = []
        self.answered: list[str] = []
        """The bodies, as JSON, that were answered in full."""
        self.moderate: Callable[[str], str] | None = None
        """Returns the category that a text is flagged as, or nothing; without it there is no route for moderation."""
        self.moderated: list[str] = []
        """The texts that were asked about."""
        self.keys: set[str | None] = set()
        self.num_at_once = self.max_at_once = 0
        self.lock = threading.Lock()
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ChatServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        if self.path == "/v1/moderations":
            self._moderate(body)
            return
        with server.lock:
            before = server.bodies.count(body)
            server.bodies.append(body)
            server.keys.add(self.headers.get("Authorization"))
            server.num_at_once += 1
            server.max_at_once = max(server.max_at_once, server.num_at_once)
        try:
            assert self.path == "/v1/chat/completions"
            reply = server.respond(body, before)
        finally:
            # Before the answer is sent: the client may ask again the moment it has it.
            with server.lock:
                server.num_at_once -= 1
        self._reply(reply, body)

    def _moderate(self, body: dict[str, Any]) -> None:
        server = self.server
        if server.moderate is None:
            self._send(Reply(status=404), b'{"error": {"message": "no such route"}}')
            return
        server.moderated += body["input"]
        flags = [server.moderate(text) for text in body["input"]]
        results = [
            {"flagged": bool(flag), "categories": {"hate": False, flag or "violence": bool(flag)}} for flag in flags
        ]
        self._send(Reply(), json.dumps({"model": body["model"], "results": results}).encode())

    def _reply(self, reply: Reply, body: dict[str, Any]) -> None:
        usage = {"prompt_tokens": len(body["messages"]), "completion_tokens": len(reply.text.split())}
        if reply.drip_headers or reply.drip_body:
            self._drip(reply)
        elif reply.raw is not None:
            self._send(reply, reply.raw)
        elif reply.error is not None:
            self._send(reply, json.dumps({"error": reply.error}).encode())
        elif body.get("stream"):
            self._stream(reply, usage, bool(body.get("logprobs")))
        else:
            choice = {"index": 0, "message": {"role": "assistant", "content": reply.text}, "finish_reason": "stop"}
            if reply.logprobs is not None and body.get("logprobs"):
                choice["logprobs"] = {"content": reply.logprobs}
            self._send(reply, json.dumps({"choices": [choice], "usage": usage if reply.usage else None}).encode())
        if reply.status == 200 and not _is_broken(reply):
            with self.server.lock:
                self.server.answered.append(json.dumps(body, sort_keys=True))

    def _send(self, reply: Reply, data: bytes) -> None:
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if reply.cut else data)
        if reply.cut:
            self.close_connection = True

    def _drip(self, reply: Reply) -> None:
        self.close_connection = True
        if reply.drip_body:
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
        else:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self.server.ended.wait(0.1):
            self.wfile.write(b" ")

    def _stream(self, reply: Reply, usage: dict[str, int], tells_tokens: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]})
        pieces = [reply.text[i : i + 7] for i in range(0, len(reply.text), 7)]
        for number, piece in enumerate(pieces):
            if number == len(pieces) // 2:
                if reply.error_event is not None:
                    self._event({"error": reply.error_event})
                if reply.cut or reply.no_end:
                    self._close(whole=reply.no_end)
                    return
            choice: dict[str, Any] = {"index": 0, "delta": {"content": piece}, "finish_reason": None}
            if number == 0 and reply.logprobs is not None and tells_tokens:
                choice["logprobs"] = {"content": reply.logprobs}
            self._event({"choices": [choice]})
        self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        if reply.usage:
            self._event({"choices": [], "usage": usage})
        self._chunk(b"data: [DONE]\n\n")
        self._close(whole=True)

    def _event(self, data: dict[str, Any]) -> None:
        self._chunk(b": keep-alive\n\ndata: " + json.dumps(data).encode() + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _close(self, whole: bool) -> None:
        if whole:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Tests print nothing."""


def _is_broken(reply: Reply) -> bool:
    drips = reply.drip_headers or reply.drip_body
    return bool(reply.cut or reply.no_end or reply.error_event or reply.raw or drips)


@contextmanager
def chat_server(respond: Respond) -> Iterator[ChatServer]:
    """Serve until the block ends."""
    server = ChatServer(respond)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
