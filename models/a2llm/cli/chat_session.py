"""A conversation in the terminal: reads lines, answers them aloud, obeys a few commands.

Every mistake of a user costs one line and no more: the conversation goes on.
"""

import signal
import time
from collections.abc import Callable
from pathlib import Path

from a2llm.api import A2LLM
from a2llm.cli.chat_screen import HELP, Screen
from a2llm.cli.hearing import Question, hear
from a2llm.cli.opening import open_model
from a2llm.cli.response_files import write_response
from a2llm.cli.sound import NoSound, Speaker
from a2llm.cli.speaking import RecordedResponse, TimedResponse
from a2llm.evaluation.timing import Stopwatch
from a2llm.interrupt import Pause
from a2llm.language.chat import find_persona
from a2llm.language.spoken_text import clean_user_text
from a2llm.listening.user_affect import STRANGER
from a2llm.weights import WeightsError

AHEAD_S = 0.6  # made before it is heard: rides out hiccups, and the text stays near the voice


def open_chat(persona: str, voice: bool, seed: int) -> int:
    """Load, greet, talk until the user leaves. Returns the exit code."""
    screen, started = Screen(), time.monotonic()
    a2, watch = open_model(persona)
    speaker = _speaker(screen, a2.engine.parts.clock.sample_rate_hz) if voice else None
    screen.welcome(persona, time.monotonic() - started)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        Chat(a2, watch, screen, speaker, seed).run()
    except KeyboardInterrupt:
        if not screen.interactive:
            raise
    finally:
        signal.signal(signal.SIGINT, before)
        if speaker:
            speaker.close()
    return 0


def _speaker(screen: Screen, sample_rate_hz: int) -> Speaker | None:
    try:
        return Speaker(sample_rate_hz)
    except NoSound as reason:
        screen.note(f"No sound device: {reason}. Going on with text.")
        return None


class Chat:
    """The loop and the commands."""

    def __init__(self, a2: A2LLM, watch: Stopwatch, screen: Screen, speaker: Speaker | None, seed: int) -> None:
        self._a2, self._watch, self._screen, self._speaker, self._seed = a2, watch, screen, speaker, seed
        self._last: RecordedResponse | None = None
        self._usual = STRANGER  # how the user sounds when nothing is the matter
        self._interrupted = False  # nothing was typed since the last Ctrl-C
        self._commands = {
            "/help": self._help,
            "/persona": self._change_persona,
            "/audio": self._ask_aloud,
            "/save": self._save,
            "/reset": self._reset,
        }

    def run(self) -> None:
        """Until the input ends, /quit, or Ctrl-C twice in a row (KeyboardInterrupt)."""
        while True:
            try:
                line = self._screen.read()
                if line is None or line.split()[:1] in (["/quit"], ["/exit"]):
                    return
                self._interrupted = False
                if line:
                    self._obey(line)
            except KeyboardInterrupt:
                if self._interrupted or not self._screen.interactive:
                    raise
                self._interrupted = True
                self._screen.note("\nCtrl-C again leaves.")
            except BrokenPipeError:  # nobody reads any more
                raise
            except (ValueError, OSError, WeightsError) as error:
                self._screen.problem(" ".join(str(error).split()))

    def _obey(self, line: str) -> None:
        name, _, rest = line.partition(" ")
        if not name.startswith("/"):
            self._respond(Question(clean_user_text(line)))
        elif name in self._commands:
            self._commands[name](rest.strip())
        else:
            raise ValueError(f"there is no command {name}; /help lists them")

    def _respond(self, question: Question) -> None:
        response = TimedResponse(self._a2, question, None, self._seed, self._watch)
        self._seed += 1
        flow, pause = self._screen.begin_response(self._a2.persona.name), Pause()
        try:
            with pause:
                self._speak(response, flow.add, pause)
        finally:
            self._interrupted = pause.asked
            flow.end()
        self._close_turn(response)
        if pause.asked and not self._screen.interactive:
            raise KeyboardInterrupt

    def _speak(self, response: TimedResponse, show: Callable[[str], None], pause: Pause) -> None:
        """Make, show and play, step by step; between two steps Ctrl-C takes effect."""
        for step in response.steps():
            show(step.text)
            if self._speaker:
                self._speaker.play(step.pcm)
                self._speaker.wait(AHEAD_S, pause)
            if pause.asked:
                break
        if self._speaker:
            self._speaker.wait(0.0, pause)
            self._speaker.stop()

    def _close_turn(self, response: TimedResponse) -> None:
        if self._interrupted:
            self._screen.note("(interrupted; Ctrl-C again leaves)")
        if response.frl_ms is None:
            return
        self._last = recorded = response.recorded()
        ttfa_ms = response.frl_ms + (self._speaker.latency_ms if self._speaker else 0.0)
        self._screen.end_response(ttfa_ms, response.rtf, recorded.affect, response.duration_ms / 1000)

    def _help(self, _: str) -> None:
        self._screen.note(HELP)

    def _change_persona(self, name: str) -> None:
        self._a2.persona = find_persona(name)
        self._reset("")

    def _reset(self, _: str) -> None:
        self._a2.restart()
        self._screen.note(f"{self._a2.persona.name.capitalize()} is listening; nothing was said yet.")

    def _ask_aloud(self, file: str) -> None:
        if not file:
            raise ValueError("which file? /audio question.wav")
        question = hear(str(Path(file).expanduser()), self._a2.listener, self._usual)
        self._usual = question.heard.usual if question.heard else STRANGER
        self._screen.heard(question.text, question.voice)
        self._respond(question)

    def _save(self, folder: str) -> None:
        if self._last is None:
            raise ValueError("there is no answer yet to save")
        files = write_response(self._last, Path(folder or ".").expanduser())
        self._screen.note(f"wrote {', '.join(str(file) for file in files)}")
