"""`a2 chat` on a tiny model: piped, at a terminal, interrupted, with and without a sound device."""

import os
import pty
import select
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from a2llm.cli.response_files import NAMES
from a2llm.cli.sound import NoSound, Speaker
from a2llm.cli.text_flow import TextFlow

pytestmark = pytest.mark.usefixtures("tiny_model")
QUESTIONS = Path(__file__).parents[1] / "data" / "questions"


@pytest.fixture(scope="module")
def opened(tiny_model: Path) -> tuple[Any, Any]:
    """The model and its stopwatch."""
    from a2llm.cli.opening import open_model

    return open_model("ada")


class Script:
    """A screen that plays the user: lines to type, Ctrl-C where a line is None; keeps what it is shown."""

    def __init__(self, *lines: str | None, interactive: bool = True, at_word: Callable[[], None] = lambda: None) -> None:
        self.lines, self.interactive, self.at_word = deque(lines), interactive, at_word
        self.notes: list[str] = []
        self.problems: list[str] = []
        self.responses: list[tuple[float, float]] = []
        self.names: list[str] = []

    def read(self) -> str | None:
        if not self.lines:
            return None
        if (line := self.lines.popleft()) is None:
            raise KeyboardInterrupt
        return line

    def begin_response(self, name: str) -> Any:
        self.names.append(name)
        return SimpleNamespace(add=lambda text: self.at_word() if text else None, end=lambda: None)

    def end_response(self, ttfa_ms: float, rtf: float, affect: object, duration_s: float) -> None:
        self.responses.append((ttfa_ms, rtf))

    def heard(self, text: str, voice: object) -> None:
        self.notes.append(f"heard {text}")

    def note(self, text: str) -> None:
        self.notes.append(text)

    def problem(self, text: str) -> None:
        self.problems.append(text)


def talk(opened: tuple[Any, Any], screen: Script, speaker: object = None) -> None:
    from a2llm.cli.chat_session import Chat

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        Chat(*opened, screen, speaker, 0).run()  # type: ignore[arg-type]
    finally:
        signal.signal(signal.SIGINT, before)


def test_commands_and_mistakes(opened: tuple[Any, Any], tmp_path: Path) -> None:
    question = QUESTIONS / "bm_george_01.flac"
    screen = Script(
        *("/save", "Hello", "", f"/save {tmp_path}", "/help", "/persona max", "And you?", "/persona zed", "/audio", "/audio /nope"),
        *(f"/audio {question}", "x" * 20_000, "/dance", "/reset", "Hello", "/quit", "never read"),
    )
    talk(opened, screen)
    assert screen.names == ["ada", "max", "max", "max"]
    assert len(screen.responses) == 4 and all(ttfa > 0 and 0 < rtf < 100 for ttfa, rtf in screen.responses)
    printed = ["no answer yet", "unknown persona 'zed'", "which file?", "there is no file", "20,000 characters", "/dance"]
    assert [any(part in problem for problem in screen.problems) for part in printed] == [True] * len(printed)
    assert len(screen.problems) == len(printed)
    assert {file.name for file in tmp_path.iterdir()} == set(NAMES)
    assert list(screen.lines) == ["never read"]
    assert opened[0].persona.name == "max"
    talk(opened, Script("/persona ada"))


def test_ctrl_c_interrupts_the_response_and_the_talk_goes_on(opened: tuple[Any, Any]) -> None:
    once = iter([lambda: signal.raise_signal(signal.SIGINT)])
    screen = Script("Hello", "And now?", at_word=lambda: next(once, lambda: None)())
    talk(opened, screen)
    assert len(screen.responses) == 2
    assert sum("interrupted" in note for note in screen.notes) == 1


def test_ctrl_c_twice_leaves(opened: tuple[Any, Any]) -> None:
    screen = Script("Hello", None, "again", None, None, "never read")
    with pytest.raises(KeyboardInterrupt):
        talk(opened, screen)
    assert len(screen.responses) == 2 and list(screen.lines) == ["never read"]


def test_ctrl_c_after_an_interrupted_response_leaves(opened: tuple[Any, Any]) -> None:
    once = iter([True])
    screen = Script("Hello", None, "never read", at_word=lambda: signal.raise_signal(signal.SIGINT) if next(once, False) else None)
    with pytest.raises(KeyboardInterrupt):
        talk(opened, screen)
    assert list(screen.lines) == ["never read"]


def test_ctrl_c_ends_piped_input(opened: tuple[Any, Any]) -> None:
    once = iter([True])
    screen = Script("Hello", "never read", interactive=False)
    screen.at_word = lambda: signal.raise_signal(signal.SIGINT) if next(once, False) else None
    with pytest.raises(KeyboardInterrupt):
        talk(opened, screen)
    assert list(screen.lines) == ["never read"]


class FakeStream:
    """Stands in for a stream of sounddevice; the test drives it."""

    latency = 0.02

    def __init__(self, callback: Callable[..., None], **_: object) -> None:
        self.callback, self.closed = callback, False

    def start(self) -> None:
        """Nothing to start."""

    def close(self) -> None:
        self.closed = True

    def pull(self, frames: int) -> np.ndarray:
        out = np.full((frames, 1), 9.0, np.float32)
        self.callback(out, frames, None, None)
        return out[:, 0]


@pytest.fixture
def sounddevice(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The package at the process's edge, so that no machine needs a sound card for this."""
    module = SimpleNamespace(OutputStream=FakeStream, PortAudioError=type("PortAudioError", (Exception,), {}))
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return module


def test_speaker_plays_every_sample_once_and_silence_after(sounddevice: SimpleNamespace) -> None:
    speaker = Speaker(1000)
    stream: FakeStream = speaker._stream
    speaker.play(np.arange(1, 6, dtype=np.float32))
    speaker.play(np.arange(6, 8, dtype=np.float32))
    assert speaker.ahead_s == 0.007 and speaker.latency_ms == 20
    assert [*stream.pull(3), *stream.pull(3), *stream.pull(3)] == [1, 2, 3, 4, 5, 6, 7, 0, 0]
    assert speaker.ahead_s == 0
    speaker.play(np.ones(500, np.float32))
    speaker.wait(0.1, SimpleNamespace(asked=True))
    speaker.stop()
    assert not stream.pull(4).any()
    speaker.close()
    assert stream.closed


def test_without_a_device_there_is_a_reason(sounddevice: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise sounddevice.PortAudioError("Error querying device -1")

    sounddevice.OutputStream = refuse
    with pytest.raises(NoSound, match="querying device"):
        Speaker(24_000)
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(NoSound, match="not installed"):
        Speaker(24_000)


def test_the_voice_is_played(opened: tuple[Any, Any]) -> None:
    class Sink:
        latency_ms, samples = 7.0, 0

        def play(self, pcm: np.ndarray) -> None:
            self.samples += len(pcm)

        def wait(self, ahead_s: float, pause: object) -> None:
            """It is always heard at once."""

        def stop(self) -> None:
            """Nothing is left."""

    sink, screen = Sink(), Script("Hello")
    talk(opened, screen, sink)
    assert sink.samples > 0 and screen.responses[0][0] > 7


def test_words_break_between_words_only(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    out = io.StringIO()
    out.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setenv("COLUMNS", "14")
    flow = TextFlow(out, indent=4)
    for text in ("one two", "", "three", "four"):
        flow.add(text)
    flow.end()
    assert out.getvalue() == "one two\n    three\n    four\n"


def test_piped_lines_are_answered_one_by_one(start_a2: Callable[..., Popen[str]], tmp_path: Path) -> None:
    process = start_a2("chat", "--seed", "1", "--persona", "coach")
    out, printed = process.communicate(f"Hello\n\n<br/>\n/save {tmp_path}\nWhat now?", timeout=120)
    assert process.returncode == 0, printed
    assert out.count("coach › ") == 2 and out.count("TTFA") == 2 and out.count("RTF") == 2
    assert "the text is empty" in printed and "Traceback" not in printed and printed.count("sound device") <= 1
    assert "loading" in printed and "Coach is listening" in printed
    assert (tmp_path / "answer.json").exists()


class Terminal:
    """A process at a pseudo terminal."""

    def __init__(self, start_a2: Callable[..., Popen[str]], *arguments: str) -> None:
        self.master, slave = pty.openpty()
        self.process = start_a2(*arguments, stdin=slave, stdout=slave, stderr=slave, text=False, start_new_session=True)
        os.close(slave)
        self._bytes, self._at = b"", 0

    def until(self, text: str, timeout_s: float = 90.0) -> None:
        """Read until `text` was printed behind what was waited for before."""
        end, wanted = time.monotonic() + timeout_s, text.encode()
        while (found := self._bytes.find(wanted, self._at)) < 0:
            assert time.monotonic() < end, f"{text!r} did not come: {self.seen[-600:]}"
            if select.select([self.master], [], [], 0.5)[0]:
                self._bytes += os.read(self.master, 4096)
        self._at = found + len(wanted)

    @property
    def seen(self) -> str:
        return self._bytes.decode("utf-8", "replace")

    def interrupt(self) -> None:
        """Ctrl-C, once the process waits for a line: before that, Python's readline would keep it for the next key."""
        time.sleep(0.5)
        self.process.send_signal(signal.SIGINT)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())


def test_a_conversation_at_a_terminal(start_a2: Callable[..., Popen[str]]) -> None:
    terminal = Terminal(start_a2, "chat", "--no-voice")
    terminal.until("you ›")
    terminal.type("Hello\n")
    terminal.until("TTFA")
    terminal.until("you ›")
    terminal.interrupt()
    terminal.until("Ctrl-C again leaves")
    terminal.until("you ›")
    terminal.interrupt()
    assert terminal.process.wait(30) == 0
    os.close(terminal.master)
    assert "sound device" not in terminal.seen and "Traceback" not in terminal.seen


def test_control_d_leaves(start_a2: Callable[..., Popen[str]]) -> None:
    terminal = Terminal(start_a2, "chat")
    terminal.until("you ›")
    assert terminal.seen.count("No sound device") <= 1
    terminal.type("\x04")
    assert terminal.process.wait(30) == 0
    os.close(terminal.master)
