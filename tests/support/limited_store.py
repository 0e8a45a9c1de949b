"""An S3 server that is not always there: behind the rights of a user, or with answers of 500."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from dataclasses import field as counted
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

DENIED = 403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
FAILED = 500, b"<Error><Code>InternalError</Code><Message>We failed</Message></Error>"
Answer = tuple[int, dict[str, str], bytes]
Asked = Callable[[], Answer]


@dataclass(frozen=True)
class Rights:
    """Keys of a bucket below one prefix, with or without the right to remove."""

    prefix: str
    remove: bool = True

    def allow(self, method: str, target: str) -> bool:
        """Whether a request of S3's path style may pass."""
        parts = urlsplit(target)
        asked = parse_qs(parts.query, keep_blank_values=True)
        key = unquote(parts.path).lstrip("/").partition("/")[2]
        if method == "DELETE" or (method == "POST" and "delete" in asked):
            return self.remove and (method == "POST" or key.startswith(self.prefix))
        if not key:
            return asked.get("prefix", [""])[0].startswith(self.prefix)
        return key.startswith(self.prefix)

    def __call__(self, method: str, target: str, ask: Asked) -> Answer:
        """What the server answers to a request that may pass, or that it may not."""
        return ask() if self.allow(method, target) else refused(*DENIED)


@dataclass
class Failing:
    """All requests pass but those from number `begins` to before `ends`, which get a 500.

    With `done` they are carried out all the same, and their answers are lost.
    """

    begins: float = float("inf")
    ends: float = float("inf")
    done: bool = False
    count: int = 0
    lock: threading.Lock = counted(default_factory=threading.Lock)

    def __call__(self, _method: str, _target: str, ask: Asked) -> Answer:
        """What the server answers to a request."""
        with self.lock:
            number, self.count = self.count, self.count + 1
        if not self.begins <= number < self.ends:
            return ask()
        if self.done:
            ask()
        return refused(*FAILED)


def refused(status: int, content: bytes) -> Answer:
    """An answer that is an error of S3."""
    return status, {"Content-Type": "application/xml"}, content


@contextlib.contextmanager
def limited(url: str, rights: Callable[[str, str, Asked], Answer]) -> Iterator[str]:
    """The address of an S3 server that passes on what it is told to."""
    behind = urlsplit(url).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))

            def ask() -> Answer:
                there = HTTPConnection(behind, timeout=300)
                there.request(self.command, self.path, body, dict(self.headers.items()))
                found = there.getresponse()
                content = found.read()
                headers = {k: v for k, v in found.getheaders() if k != "Transfer-Encoding"}
                there.close()
                return found.status, headers, content

            status, headers, content = rights(self.command, self.path, ask)
            self.send_response_only(status)
            for name, value in headers.items():
                if name != "Content-Length" or self.command == "HEAD":
                    self.send_header(name, value)
            if self.command != "HEAD":
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
