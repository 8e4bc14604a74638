"""Questioner as text alone, many conversations in one batch; the avatar's own earlier responses stand in each conversation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from a2llm.engine import Conversation, Engine, Parts, Response, everybody
from a2llm.language.chat import find_persona
from a2llm.messages import Affect, AssistantTurn, Item, ResponseOptions, UserTurn

SLOTS, CONTEXT = 8, 1024


@dataclass(frozen=True)
class LastResponse:
    """The last response of a conversation, the affect it was meant with, and the responses before."""

    text: str
    affect: str
    earlier: tuple[str, ...]


@dataclass
class _Talk:
    """One conversation in progress."""

    number: int
    turns: Sequence[str]
    items: list[Item]
    said: list[str]
    felt: str = ""

    @property
    def over(self) -> bool:
        return len(self.said) == len(self.turns)


class Questioner:
    """Asks a model. Deterministic by seed, whoever shares the batch."""

    def __init__(self, parts: Parts, persona: str = "ada") -> None:
        self._engine, self._persona = Engine(parts, SLOTS, CONTEXT), find_persona(persona)

    def ask(
        self, conversations: Sequence[Sequence[str]], seed: int = 0, on_response: Callable[[], None] | None = None
    ) -> list[LastResponse]:
        """The last response of each conversation, in order."""
        waiting = [_Talk(number, turns, [], []) for number, turns in enumerate(conversations)]
        done: dict[int, LastResponse] = {}
        running: dict[int, tuple[_Talk, Response]] = {}
        while waiting or running:
            while waiting and len(running) < SLOTS:
                talk = waiting.pop(0)
                conversation = self._engine.open_conversation(self._persona)
                running[talk.number] = talk, self._respond(conversation, talk, seed)
            self._engine.step(everybody(self._engine))
            for talk, response in [pair for pair in running.values() if pair[1].over]:
                del running[talk.number]
                talk.said.append(" ".join(response.words))
                talk.items.append(AssistantTurn(talk.said[-1]))
                talk.felt = (response.affect or Affect()).category
                self._engine.close_conversation(response.conversation)
                if talk.over:
                    done[talk.number] = LastResponse(talk.said[-1], talk.felt, tuple(talk.said[:-1]))
                    if on_response:
                        on_response()
                else:
                    waiting.insert(0, talk)
        return [done[number] for number in range(len(conversations))]

    def _respond(self, conversation: Conversation, talk: _Talk, seed: int) -> Response:
        talk.items.append(UserTurn(talk.turns[len(talk.said)], Affect()))
        options = ResponseOptions(seed=seed * 100_003 + 101 * talk.number + len(talk.said), audio=False)
        return self._engine.respond(conversation, talk.items, options)
