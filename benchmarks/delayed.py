"""A proxy before an S3 server that delays every request and counts requests and bytes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote


class DelayedStore:
    """Passes HTTP/1.1 on to a port of this machine, each request `seconds` later.

    `requests` counts methods, `received` the bytes that the server answered, `busy` the seconds of
    processor time that passing on took. Of a `folder`, whose subfolders are the server's buckets,
    whole objects are answered from its files, for a tenth of what a server takes.
    """

    def __init__(self, port: int, seconds: float, folder: Path | None = None) -> None:
        self.requests: Counter[str] = Counter()
        self.received = 0
        self.port = 0
        self._to, self._seconds, self._folder = port, seconds, folder
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self._ready.wait(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._meet, "127.0.0.1", 0, limit=1 << 20)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        # A file whose connection ends while the system copies it is told by asyncio alone.
        self._loop.set_exception_handler(lambda *_: None)
        while open_ways := asyncio.all_tasks(self._loop):
            for way in open_ways:
                way.cancel()
            self._loop.run_until_complete(asyncio.gather(*open_ways, return_exceptions=True))
        self._loop.close()

    async def _meet(self, client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        server, ask = await asyncio.open_connection("127.0.0.1", self._to, limit=1 << 20)
        back = asyncio.ensure_future(self._pass_back(server, answer))
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._pass_on(client, ask, answer)
            ask.close()
            await asyncio.gather(back, return_exceptions=True)
        finally:
            back.cancel()
            ask.close()

    async def _pass_on(
        self, client: asyncio.StreamReader, ask: asyncio.StreamWriter, answer: asyncio.StreamWriter
    ) -> None:
        """Requests of a connection, one after the other, until the client leaves."""
        while True:
            head = await client.readuntil(b"\r\n\r\n")
            self.requests[head.split(b" ", 1)[0].decode()] += 1
            await asyncio.sleep(self._seconds)
            if (file := self._file_of(head)) is not None:
                await self._give(file, answer)
                continue
            ask.write(head)
            await self._pass_body(head, client, ask)

    def _file_of(self, head: bytes) -> Path | None:
        """The file of a whole object that is asked for."""
        method, target = head.split(b" ", 2)[:2]
        if (
            self._folder is None
            or method != b"GET"
            or b"?" in target
            or b"\r\nrange:" in head.lower()
        ):
            return None
        file = self._folder / unquote(target.decode()).lstrip("/")
        return file if file.is_file() else None

    async def _give(self, file: Path, answer: asyncio.StreamWriter) -> None:
        """A file as an answer, which the system copies from file to connection."""
        size = file.stat().st_size
        answer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        await answer.drain()
        with file.open("rb") as opened:
            await self._loop.sendfile(answer.transport, opened)
        self.received += size

    async def _pass_body(
        self, head: bytes, client: asyncio.StreamReader, ask: asyncio.StreamWriter
    ) -> None:
        """What follows the head of a request; S3 clients tell its length."""
        fields = dict(
            line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line
        )
        left = int(fields.get(b"content-length", b"0"))
        while left:
            part = await client.read(min(left, 1 << 18))
            if not part:
                raise ConnectionError
            left -= len(part)
            ask.write(part)
            await ask.drain()

    async def _pass_back(self, server: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while part := await server.read(1 << 18):
                self.received += len(part)
                answer.write(part)
                await answer.drain()
        answer.close()

    @property
    def busy(self) -> float:
        """Seconds of processor time so far; none once closed."""
        return time.clock_gettime(time.pthread_getcpuclockid(self._thread.ident or 0))

    def close(self) -> None:
        """Stop passing on."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


@contextlib.contextmanager
def delayed(port: int, seconds: float = 0.03, folder: Path | None = None) -> Iterator[DelayedStore]:
    """A delayed way to a port, closed at the end of the block."""
    store = DelayedStore(port, seconds, folder)
    try:
        yield store
    finally:
        store.close()
