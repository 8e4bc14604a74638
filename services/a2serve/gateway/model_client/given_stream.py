"""Words for a response that come while it is spoken: written by whoever finds them, read by the way to the model, again from the
beginning where a replica is lost."""

import asyncio

from a2llm.messages import GivenWords


class GivenStream:
    """One writer, any number of readers. Used on one event loop."""

    def __init__(self, text: str = "", *, over: bool = False) -> None:
        self._text, self._over = text, over
        self._news = asyncio.Event()

    @property
    def words(self) -> GivenWords:
        """All that came."""
        return GivenWords(self._text, self._over)

    def add(self, text: str) -> None:
        """More words; none behind the end."""
        assert not self._over, "the words are over"
        self._text += text
        self._tell()

    def end(self) -> None:
        """No more will come. A second call changes nothing."""
        self._over = True
        self._tell()

    async def after(self, offset: int) -> GivenWords:
        """Waits for words behind `offset` characters, or for the end; returns the words that stand there."""
        while len(self._text) <= offset and not self._over:
            await self._news.wait()
        return GivenWords(self._text[offset:], self._over)

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
