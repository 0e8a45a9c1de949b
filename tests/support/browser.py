"""Debian's Chromium without a screen, through ChromeDriver's own protocol (W3C WebDriver)."""

from __future__ import annotations

import base64
import io
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from support.servers import free_port

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars",
)  # fmt: skip
ENTER, ESCAPE, LEFT = "\ue007", "\ue00c", "\ue012"


def missing() -> str | None:
    """What keeps a browser from being started here."""
    absent = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return (
        f"not installed: {', '.join(absent)} (Debian: chromium chromium-driver)" if absent else None
    )


class Browser:
    """One window."""

    def __init__(self, port: int, profile: Path, size: tuple[int, int], flags: tuple[str, ...]):
        self._server = f"http://127.0.0.1:{port}"
        options = {
            "binary": shutil.which("chromium"),
            "args": [
                *FLAGS,
                *flags,
                f"--user-data-dir={profile}",
                "--window-size={},{}".format(*size),
            ],
        }
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        made = self._send("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{made['sessionId']}"

    def _send(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._server + path, data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            with error:
                raise RuntimeError(json.load(error)["value"]["message"]) from None

    def call(self, path: str, body: object = None) -> Any:
        return self._send("POST", self._session + path, {} if body is None else body)

    def open(self, url: str) -> None:
        self.call("/url", {"url": url})

    def run(self, script: str, *values: object) -> Any:
        """The value of a function body; `arguments` holds the values."""
        return self.call("/execute/sync", {"script": script, "args": list(values)})

    def wait(self, script: str) -> None:
        deadline = time.monotonic() + 300
        while not self.run(script):
            assert time.monotonic() < deadline, f"never true: {script}"
            time.sleep(0.05)

    def settle(self) -> None:
        """Wait until the page has painted."""
        done = "requestAnimationFrame(() => requestAnimationFrame(() => arguments[0]()))"
        self.call("/execute/async", {"script": done, "args": []})

    def emulate(self, command: str, **values: object) -> None:
        """A command of the DevTools protocol."""
        self.call("/goog/cdp/execute", {"cmd": command, "params": values})

    def mouse(self, *steps: dict[str, Any], kind: str = "mouse") -> None:
        source = {"type": "pointer", "id": kind, "parameters": {"pointerType": kind}}
        self.call("/actions", {"actions": [{**source, "actions": list(steps)}]})
        self.settle()

    def click(self, x: float, y: float, kind: str = "mouse") -> None:
        self.mouse(move(x, y), DOWN, UP, kind=kind)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.mouse(move(*start), DOWN, move(*end), UP)

    def wheel(self, x: float, y: float, amount: int) -> None:
        turn = {"type": "scroll", "x": round(x), "y": round(y), "deltaX": 0, "deltaY": amount}
        self.call("/actions", {"actions": [{"type": "wheel", "id": "wheel", "actions": [turn]}]})
        self.settle()

    def press(self, *keys: str) -> None:
        steps = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.call("/actions", {"actions": [{"type": "key", "id": "keys", "actions": steps}]})
        self.settle()

    def picture(self) -> np.ndarray:
        """The window (h, w, 3)."""
        from matplotlib.image import imread

        png = base64.b64decode(self._send("GET", f"{self._session}/screenshot"))
        return (imread(io.BytesIO(png))[..., :3] * 255).round().astype(np.uint8)

    def log(self, kind: str) -> list[dict[str, Any]]:
        return list(self.call("/se/log", {"type": kind}))

    def requests(self) -> list[str]:
        """Addresses that were asked for, by the page or the browser for it, since last time."""
        events = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        sent = [e for e in events if e["method"] == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in sent]

    def close(self) -> None:
        self._send("DELETE", self._session)


DOWN, UP = {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}


def move(x: float, y: float) -> dict[str, Any]:
    """Move the pointer to a place in the window."""
    return {"type": "pointerMove", "x": round(x), "y": round(y), "duration": 0}


@contextmanager
def browser(profile: Path, size: tuple[int, int] = (1360, 860), *flags: str) -> Iterator[Browser]:
    """A new browser with an empty profile."""
    port = free_port()
    driver = subprocess.Popen(
        ["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 300
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert driver.poll() is None, "ChromeDriver did not start"
            assert time.monotonic() < deadline, "ChromeDriver does not answer"
            time.sleep(0.05)
        window = Browser(port, profile, size, flags)
        try:
            yield window
        finally:
            window.close()
    finally:
        driver.terminate()
        driver.wait(300)
