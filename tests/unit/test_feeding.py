"""Given words reach the replica that speaks a response, as they come, and all of them another one where it is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import pytest
from support.servers.replicas import new_request, run, serving

from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.proto import avatar_pb2 as pb
from a2serve.contracts.proto.avatar_pb2_grpc import AvatarServicer
from a2serve.gateway.model_client import feeding
from a2serve.gateway.model_client.given_stream import GivenStream
from a2serve.gateway.model_client.grpc_client import GrpcInference


@dataclass
class Speaker(AvatarServicer):
    """Says in its last packet the words that it was given. `loses`: its first response ends when so many characters are there."""

    loses: int = 0
    deaf: bool = False  # takes no words
    asked: list[pb.RespondRequest] = field(default_factory=list)
    text: str = ""
    over: bool = False

    async def Respond(self, request: pb.RespondRequest, context: grpc.aio.ServicerContext) -> None:
        self.asked.append(request)
        self.text, self.over = request.given.text, request.given.over
        await context.write(pb.Packet(response_id=request.response_id))
        while not self.over:
            await asyncio.sleep(0.001)
            if self.loses and len(self.text) >= self.loses:
                self.loses = 0
                await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
        await context.write(pb.Packet(response_id=request.response_id, text=self.text, done=pb.Done(reason=pb.Done.COMPLETED)))

    async def Append(self, request: pb.AppendRequest, context: grpc.aio.ServicerContext) -> pb.AppendResponse:
        if self.deaf:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "unknown", (("a2-error-code", "response_unknown"),))
        assert request.offset <= len(self.text)
        self.text, self.over = self.text[: request.offset] + request.text, request.over
        return pb.AppendResponse(received=len(self.text))


@asynccontextmanager
async def client_of(speaker: Speaker) -> AsyncIterator[GrpcInference]:
    async with serving(speaker) as (_, port):
        client = GrpcInference(f"127.0.0.1:{port}", patience_s=1.0)
        yield client
        await client.close()


async def said(client: GrpcInference, words: GivenStream) -> str:
    return "".join([packet.text async for packet in client.respond(new_request(), words)])


async def speak(words: GivenStream, *pieces: str) -> None:
    for piece in pieces:
        await asyncio.sleep(0.01)
        words.add(piece)
    await asyncio.sleep(0.01)
    words.end()


def test_words_come_in_their_order_while_it_speaks() -> None:
    async def scenario() -> None:
        async with client_of(speaker := Speaker()) as client:
            words = GivenStream("One ")
            whole, _ = await asyncio.gather(said(client, words), speak(words, "two ", "", "three", " four."))
            assert whole == "One two three four."
            assert [request.given.text for request in speaker.asked] == ["One "]

    run(scenario)


def test_words_that_are_all_there_need_no_second_call() -> None:
    async def scenario() -> None:
        async with client_of(speaker := Speaker(deaf=True)) as client:
            assert await said(client, GivenStream("All of it.", over=True)) == "All of it."
            assert len(speaker.asked) == 1

    run(scenario)


def test_where_a_replica_is_lost_another_one_gets_all_words() -> None:
    async def scenario() -> None:
        async with client_of(speaker := Speaker(loses=8)) as client:
            words = GivenStream()
            whole, _ = await asyncio.gather(said(client, words), speak(words, "One two ", "three"))
            assert whole == "One two three"
            assert speaker.asked[0].given.text == ""
            assert speaker.asked[1].given.text.startswith("One two ")
            assert speaker.asked[1].HasField("resume")

    run(scenario)


def test_a_replica_that_takes_no_words_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "PAUSE_S", 0.001)

    async def scenario() -> None:
        async with client_of(Speaker(deaf=True)) as client:
            words = GivenStream()
            speaking = asyncio.create_task(speak(words, *["word "] * 2000))
            with pytest.raises(Problem) as error:
                await said(client, words)
            speaking.cancel()
            assert error.value.code is Code.UNAVAILABLE

    run(scenario)


def test_who_leaves_ends_the_feeding() -> None:
    async def scenario() -> None:
        async with client_of(Speaker()) as client:
            packets = client.respond(new_request(), GivenStream("One"))
            await anext(packets)
            await packets.aclose()
            assert not [task for task in asyncio.all_tasks() if task.get_name() == "given words" and not task.cancelling()]

    run(scenario)
