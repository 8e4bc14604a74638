"""The responses that a session has now: the conversation's own, those beside it, and those that may still be heard.

Bookkeeping alone. What becomes of a response is decided by `session.floor`.
"""

from a2serve.gateway.realtime.response.response import Response


class ActiveResponses:
    """`own` is being made for the conversation. `playing` have sent sound that the client's player may not have finished, oldest first."""

    def __init__(self) -> None:
        self.own: Response | None = None
        self.beside: dict[str, Response] = {}
        self.playing: list[Response] = []

    @property
    def in_progress(self) -> list[Response]:
        """All that are being made."""
        return [*([self.own] if self.own else []), *self.beside.values()]

    @property
    def audible(self) -> Response | None:
        """The one of the conversation that is heard now, or will be next."""
        return self.playing[0] if self.playing else self.own

    @property
    def tails(self) -> list[Response]:
        """Those that are made, while their last sound may still be playing."""
        return [response for response in self.playing if response is not self.own]

    def begin(self, response: Response) -> None:
        """It is being made from now on."""
        if response.in_conversation:
            self.own = response
        else:
            self.beside[response.id] = response

    def sounded(self, response: Response) -> bool:
        """It has sent sound; whether that was its first."""
        if response in self.playing:
            return False
        self.playing.append(response)
        return True

    def finish(self, response: Response) -> None:
        """It is not being made any more."""
        if response.in_conversation:
            self.own = None
        else:
            self.beside.pop(response.id, None)

    def silence(self, response: Response) -> None:
        """It is not heard any more."""
        if response in self.playing:
            self.playing.remove(response)

    def find(self, response_id: str | None) -> Response | None:
        """One that is being made; without an id, the conversation's own."""
        if response_id is None or (self.own and self.own.id == response_id):
            return self.own
        return self.beside.get(response_id)

    def of_player(self, response_id: str) -> Response | None:
        """One that is being made or heard."""
        return next((response for response in (*self.in_progress, *self.playing) if response.id == response_id), None)

    def remaining_ms(self) -> float:
        """Time for which the sound that was sent will still be heard."""
        return sum(response.pacer.remaining_ms() for response in self.playing)
