"""Takes what a back-end puts into the running conversation: words that the avatar says, or facts that it knows from now on."""

from a2llm.messages import MOST_GIVEN_CHARACTERS
from a2serve.contracts.client_events import Append, ResponseOptions
from a2serve.contracts.items import ContentPart, MessageItem
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.server_events import ItemAdded, ItemDone
from a2serve.gateway.conversation.conversation import item_of_wire
from a2serve.gateway.model_client.given_stream import GivenStream
from a2serve.gateway.realtime.response.response import Response
from a2serve.gateway.realtime.session.core import SessionCore
from a2serve.gateway.realtime.session.floor import Floor


class Appends:
    """Takes the `a2.append` events of one session."""

    def __init__(self, core: SessionCore, floor: Floor) -> None:
        self._core, self._floor = core, floor
        self._id, self._words = "", GivenStream(over=True)  # of the response that was given words last
        self._response: Response | None = None

    def take(self, event: Append) -> None:
        """Raises Problem where instructions are fixed, another response is in progress, or the one that is continued has ended."""
        fact = MessageItem(role="system", content=[ContentPart(type="input_text", text=event.text)])
        self._core.check_fixed_item(fact)
        if not event.spoken:
            self._add_fact(fact)
        elif event.append_id and event.append_id == self._id:
            self._go_on(event)
        else:
            self._begin(event)

    def _add_fact(self, fact: MessageItem) -> None:
        core = self._core
        core.parts.conversations.check_capacity(core.identity.tenant, session=False)
        item = item_of_wire(fact, core.parts.new_id("item"))
        before = core.conversation.add(item)
        core.out.send(ItemAdded(previous_item_id=before, item=item.wire()))
        item.sequence = core.out.send(ItemDone(previous_item_id=before, item=item.wire()))
        core.keeper.item_done(item)

    def _begin(self, event: Append) -> None:
        words = GivenStream(event.text, over=event.over)
        self._response = self._floor.start_response(ResponseOptions(), words=words)
        self._id, self._words = event.append_id or "", words

    def _go_on(self, event: Append) -> None:
        response = self._response
        if response is None or response.status != "in_progress" or self._words.words.over:
            raise Problem(Code.CANCEL_NOT_ACTIVE, "the response with these words has ended", param="append_id")
        if len(self._words.words.text) + len(event.text) > MOST_GIVEN_CHARACTERS:
            raise Problem(Code.INVALID_VALUE, f"a response is given at most {MOST_GIVEN_CHARACTERS:,} characters", param="text")
        self._words.add(event.text)
        if event.over:
            self._words.end()
