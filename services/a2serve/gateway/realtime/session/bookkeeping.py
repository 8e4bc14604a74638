"""Books a response that has ended: counts, times, its bill and its record, its items, its slot."""

from a2serve.contracts.problems import Problem
from a2serve.gateway.realtime.response.response import Response
from a2serve.gateway.realtime.session.checkpoints import turn_facts
from a2serve.gateway.realtime.session.core import SessionCore


def book_response(core: SessionCore, response: Response) -> None:
    """Books one response. A user without an answer is not billed for the question; the next response is, if there is one."""
    core.tally.turn_ended()
    if response.status == "failed" or not response.counted:
        core.tally.audio_committed(response.give_back_audio())
    facts, metrics = turn_facts(core, response), core.parts.metrics
    metrics.count(facts.status, response.code, underran=response.pacer.underran)
    if facts.first_packet_ms is not None:
        metrics.spoke(facts.first_packet_ms, facts.phases_ms(), facts.model)
    if response.counted:  # else it was refused, or cut before it cost anything: as many records as a client cares to cause
        core.keeper.turn(facts)


def keep_items(core: SessionCore, response: Response) -> None:
    """Its text was cut: write its items again."""
    for item in response.items:
        if core.conversation.holds(item):
            core.keeper.item_done(item)


async def release_slot(core: SessionCore, response: Response) -> None:
    """A response outside the conversation had a slot of its own."""
    try:
        await core.parts.inference.release(f"{core.identity.session_id}.{response.id}")
    except Problem:
        return  # the replica evicts it by itself
