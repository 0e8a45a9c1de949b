"""A page served on this machine until Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
import webbrowser
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from cpazmal_scale.errors import ConfigError, CpazmalError

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from cpazmal_scale.web.guard import Lock
    from cpazmal_scale.web.page import Page

_START_SECONDS = 30
_GRACE_SECONDS = 3


class Running(NamedTuple):
    """A server: `url` opens the page, `once` opens it one time, `ended` waits for its end."""

    port: int
    url: str
    once: str
    ended: Callable[[], object]


def serve(
    page: Page, *, port: int | None = None, browser: bool = True, say: Callable[[str, int], None]
) -> None:
    """Serve a page to the person at this machine until Ctrl-C.

    Args:
        page: what is served.
        port: of 127.0.0.1; none: a free one.
        browser: whether to open the page in this person's browser.
        say: called with the address, which holds the key, and the port.

    Raises:
        ConfigError: the port is taken.
    """
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), running(page, port) as server:
        say(server.url, server.port)
        if browser:
            threading.Thread(target=webbrowser.open, args=(server.once,), daemon=True).start()
        server.ended()


@contextlib.contextmanager
def running(page: Page, port: int | None = None) -> Iterator[Running]:
    """A server of a page in a thread of its own, for as long as the block lasts.

    Raises:
        ConfigError: the port is taken.
    """
    import uvicorn

    from cpazmal_scale.web.guard import Lock

    with _listening(port or 0) as listener:
        taken = int(listener.getsockname()[1])
        lock = Lock()
        settings = uvicorn.Config(
            application(page, lock, taken),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        server = uvicorn.Server(settings)
        ended = threading.Event()

        def run() -> None:
            try:
                server.run(sockets=[listener])
            finally:
                ended.set()

        threading.Thread(target=run, daemon=True).start()
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not (server.started or ended.is_set()) and time.monotonic() < deadline:
                time.sleep(0.01)
            place = f"http://127.0.0.1:{taken}/{lock.place}/"
            yield Running(
                taken, f"{place}?key={lock.key}", f"{place}?key={lock.ticket}", ended.wait
            )
        finally:
            server.should_exit = True
            ended.wait()  # `Thread.join` forgets the thread when Ctrl-C interrupts it


def application(page: Page, lock: Lock, port: int) -> Starlette:
    """The page as an ASGI application that lets nobody in without the lock's key."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.routing import Mount, Route

    from cpazmal_scale.web.answers import sentence
    from cpazmal_scale.web.guard import Guard

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        page.close()

    inside = [*page.routes, Route("/{name:path}", page.file)]
    return Starlette(
        routes=[Mount(f"/{lock.place}", routes=inside)],
        middleware=[Middleware(Guard, lock=lock, port=port)],
        exception_handlers={CpazmalError: sentence},
        lifespan=lifespan,
    )


def _listening(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else "no such port"
        raise ConfigError(
            f"port {port} cannot be used ({reason})",
            where="127.0.0.1",
            remedy="choose another `--port`, or none",
        ) from None
    listener.listen(64)
    return listener
