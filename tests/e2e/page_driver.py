"""The page in a real browser, from Python: node/browser.mjs behind a pipe, and what our page shows of itself (`window.__a2`)."""

import base64
import json
import os
import shutil
import subprocess
import time
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

NODE_FOLDER = Path(__file__).parent / "node"
WEB = Path(__file__).parents[2] / "services" / "web"
WAIT_S = 60.0  # a frame drawn in software on a busy machine takes long


def find_chromium() -> str:
    """The browser's path; skips where there is none, or the page was not built."""
    named = os.environ.get("A2_CHROMIUM")
    found = next(filter(None, (shutil.which(name) for name in (named, "chromium", "chromium-browser", "google-chrome") if name)), None)
    if found is None:
        pytest.skip("no Chromium: install one, or name it in A2_CHROMIUM")
    if not (WEB / "dist" / "index.html").is_file() or not (WEB / "node_modules" / "playwright-core").is_dir():
        pytest.skip("the page was not built: `make setup` says why")
    return found


# Not Playwright's waitForFunction: it calls eval inside the page, whose Content-Security-Policy forbids that.
_LOOKING = """new Promise((done) => {
  const until = performance.now() + %(timeout_ms)d;
  const look = () => ((%(expression)s) ? done(true) : performance.now() > until ? done(false) : setTimeout(look, 25));
  look();
})"""


class Browser:
    """A context: a running browser with a microphone that hears a wav file; `open` shows the page."""

    def __init__(self, environment: dict[str, str], microphone: Path) -> None:
        # Drawing without a graphics card takes every core there is; the model comes first, as on a user's machine.
        nice = shutil.which("nice")
        command = [nice, "-n", "10"] if nice else []
        command += ["node", str(NODE_FOLDER / "browser.mjs"), find_chromium(), str(microphone)]
        pipe = subprocess.PIPE
        self._node = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)
        self._frames: list[dict[str, Any]] = []

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        assert self._node.stdin and self._node.stdout
        self._node.stdin.close()  # the script closes the browser and ends
        try:
            self._node.wait(20)
        except subprocess.TimeoutExpired:
            self._node.kill()
            self._node.wait()
        self._node.stdout.close()

    def ask(self, **request: Any) -> Any:
        """One request of browser.mjs. Raises RuntimeError with its message."""
        assert self._node.stdin and self._node.stdout
        self._node.stdin.write(json.dumps(request) + "\n")
        self._node.stdin.flush()
        line = self._node.stdout.readline()
        if not line:
            raise RuntimeError("the browser script ended")
        response = json.loads(line)
        if "error" in response:
            raise RuntimeError(f"{request}: {response['error']}")
        return response["result"]

    def open(self, url: str, width: int, height: int, scale: float = 1.0, **preferences: Any) -> None:
        """Show the page, wait until it is ready and its face is there. `scale`: device pixels per CSS pixel."""
        storage = {"a2.preferences": json.dumps({"quality": "low", **preferences})}
        page = {"url": url, "width": width, "height": height, "scale": scale, "storage": storage}
        self.ask(open={**page, "init": str(NODE_FOLDER / "tap.js")})
        self.until("window.__a2 && document.querySelector('canvas').style.opacity === '1'")
        self.state("ready")

    def call(self, method: str, *arguments: Any) -> Any:
        return self.ask(call=method, **{"with": arguments})

    def value(self, expression: str) -> Any:
        return self.call("evaluate", expression)

    def until(self, expression: str, timeout_s: float = WAIT_S) -> None:
        """Until a JavaScript expression is true; looked at inside the page, often. Raises TimeoutError with what the page was doing."""
        if not self.value(_LOOKING % {"expression": expression, "timeout_ms": 1000 * timeout_s}):
            facts = self.value("JSON.stringify([__a2.state, __a2.lastError, __a2.captions.slice(-3)])")
            raise TimeoutError(f"{expression} did not come: {facts}")

    def state(self, *wanted: str) -> None:
        self.until(f"{json.dumps(wanted)}.includes(__a2.state)")

    def type(self, text: str) -> None:
        self.call("fill", "#message", text)
        self.call("press", "#message", "Enter")

    def open_microphone(self, on: bool) -> None:
        if self.value("document.getElementById('open-mic').checked") != on:
            self.call("click", ".switch")

    def say(self, speech: np.ndarray) -> None:
        """Into the open microphone, now: int16 at 24 kHz."""
        self.call("evaluate", "tap.say(" + json.dumps(base64.b64encode(speech.astype("<i2").tobytes()).decode()) + ")")

    def frames(self, way: str = "", kind: str = "") -> list[dict[str, Any]]:
        """WebSocket frames so far: sent or received, of one type."""
        self._frames += self.ask(frames=len(self._frames))
        return [frame for frame in self._frames if way in ("", frame["way"]) and kind in ("", frame.get("type", ""))]

    def picture(self, path: Path) -> None:
        time.sleep(0.6)  # transitions
        self.call("screenshot", {"path": str(path)})

    @property
    def captions(self) -> list[dict[str, Any]]:
        return self.value("__a2.captions")


def write_microphone(path: Path, speech: np.ndarray, before_s: float = 1.0) -> Path:
    """A wav file for the fake microphone: room noise for a minute, in it the speech (int16 at 24 kHz), once it is surely open."""
    rate_hz = 24_000
    sound = np.random.default_rng(0).normal(0, 12, 60 * rate_hz)
    start = round(before_s * rate_hz)
    sound[start : start + len(speech)] += speech
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(np.clip(sound, -32768, 32767).astype("<i2").tobytes())
    return path
