"""An S3 server behind the rights of one user: what is not allowed is answered as S3 answers it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


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


@contextlib.contextmanager
def limited(url: str, rights: Rights) -> Iterator[str]:
    """The address of an S3 server that passes on what the rights allow."""
    behind = urlsplit(url).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, content = 403, {"Content-Type": "application/xml"}, DENIED
            if rights.allow(self.command, self.path):
                there = HTTPConnection(behind, timeout=300)
                there.request(self.command, self.path, body, dict(self.headers.items()))
                found = there.getresponse()
                status, content = found.status, found.read()
                headers = {k: v for k, v in found.getheaders() if k != "Transfer-Encoding"}
                there.close()
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
