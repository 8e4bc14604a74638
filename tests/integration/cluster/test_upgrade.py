"""An upgrade and the way back while people are being spoken to: two Ray clusters, one name that leads to the one and then to the other,
as KubeRay's Service does. Nobody loses a word, a sample or a frame, whether a cluster drains or breaks.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path
from time import monotonic

import pytest
from support.models.cli_model import write_tiny_model
from support.servers.cluster import APPLICATION, Cluster, cluster
from support.servers.failover import PlayedResponse, assert_same, play_response, speaking, talking
from support.servers.realtime import Client, Stand

from a2serve.local.home import cache_folder

TEST_S = 500  # three clusters are started, on a busy machine
pytestmark = [
    pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: pip install '.[cluster]'"),
    pytest.mark.timeout(TEST_S + 100),
]
TRITON = any((cache_folder() / "triton").glob("*-py*"))
NAME, PORT = "inference-serve-svc.default.svc", 50051
QUESTIONS = ("Hello you", "And now?", "Hello you", "And now?")
PEOPLE, LATECOMERS = 3, 2
GONE_S = 60.0
SLOW = "those who speak need all of this replica's speed"  # of the machine, which the tests share with others; not of the upgrade
# A short lead, so that the gateway does not have all of an answer at once; and no cheaper sound, or a busy machine would be heard.
ENGINE: dict[str, object] = {"slots": 8, "threads": 1, "lead_ms": 500, "crowded_lead_ms": 300, "fewest_levels": 8}
Start = Callable[[str], Cluster]


@dataclass
class Service:
    """The name that gateways ask for, and to which cluster it leads."""

    leads_to: Cluster

    async def look_up(self, name: str, port: int, **_: object) -> list:
        assert (name, port) == (NAME, PORT)
        return [(0, 0, 0, "", ("127.0.0.1", self.leads_to.port))]


@dataclass
class Person:
    """A socket, and what it has heard so far."""

    client: Client
    stand: Stand
    responses: list[PlayedResponse] = field(default_factory=list)

    async def asks(self, listening: Callable[[], None] | None = None) -> None:
        """The next question, heard at the speed of speech where `listening` is to be called in mid-sentence."""
        self.responses.append(await play_response(self.client, QUESTIONS[len(self.responses)], listening))

    async def host(self) -> str:
        return await self.stand.inference.address_of(self.client.of("session.created")[0]["session"]["id"])

    @property
    def refusals(self) -> list[str]:
        """Refusals of responses that were requested again."""
        responses = [event["response"] for event in self.client.of("response.done")]
        return [response["status_details"]["error"]["message"] for response in responses if response["status"] == "failed"]

    def words_lost(self, calm: list[PlayedResponse]) -> int:
        """Words that differ from those of an undisturbed listener."""
        return sum(
            word != twin
            for one, other in zip(self.responses, calm, strict=False)
            for word, twin in zip_longest(one.words.split(), other.words.split())
        )


@pytest.fixture
def start(tmp_path: Path, mini_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts a cluster beside those that run, all with the same model; they end with the test."""
    monkeypatch.setenv("A2_MODEL", str(write_tiny_model(tmp_path)))
    monkeypatch.setenv("A2_WEIGHTS_BACKBONE", str(mini_gguf))
    with ExitStack() as clusters:

        def begin(name: str) -> Cluster:
            (folder := tmp_path / name).mkdir()
            tritons = 1 if TRITON else 0
            settings = {"drain_s": 15, "replicas_min": 1, "replicas_max": 1, "frl_limit_ms": 1e6}
            return clusters.enter_context(cluster(folder, tritons, ENGINE, **settings))

        yield begin


@asynccontextmanager
async def gateway(service: Service, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stand]:
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", service.look_up)
    async with speaking(f"{NAME}:{PORT}", APPLICATION) as stand:
        yield stand


async def come(stand: Stand, sockets: AsyncExitStack, people: int) -> list[Person]:
    return [Person(await sockets.enter_async_context(talking(stand)), stand) for _ in range(people)]


async def in_mid_sentence(people: list[Person], then: Callable[[], Awaitable[None]]) -> None:
    """Everybody asks; when all are being answered, something happens. Returns when all were answered."""
    listening: list[None] = []
    async with asyncio.TaskGroup() as group:
        for person in people:  # not at the same moment, see below
            heard = len(person.client.packets)
            asking = group.create_task(person.asks(lambda: listening.append(None)))
            while len(person.client.packets) == heard and not asking.done():
                await asyncio.sleep(0.01)
        while len(listening) < len(people):
            await asyncio.sleep(0.01)
        await then()


async def everybody_goes_on(people: list[Person]) -> None:
    """One after the other: a replica alone takes not so many beginnings at the same moment."""
    for person in people:
        await person.asks()


async def all_at(people: list[Person], wanted: Cluster) -> None:
    assert {await person.host() for person in people} == {wanted.target}


def test_an_upgrade_and_the_way_back_cost_nobody_a_word(
    start: Start, figures: dict[str, object], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        old = await asyncio.to_thread(start, "old")
        service = Service(old)
        async with gateway(service, monkeypatch) as stand, AsyncExitStack() as sockets:
            async with talking(stand) as client:
                calm = [await play_response(client, question) for question in QUESTIONS]
            people = await come(stand, sockets, PEOPLE)
            new = await asyncio.to_thread(start, "new")

            async def upgrade() -> None:
                """The Service leads to the new cluster; the old one is deleted, while it speaks. Others come meanwhile."""
                service.leads_to = new
                old.leave()
                people.extend(await come(stand, sockets, LATECOMERS))
                await everybody_goes_on(people[PEOPLE:])  # gateways look the name up every 5 s: some still ask the old one

            await in_mid_sentence(list(people), upgrade)
            await until_gone(old)
            assert not moved_in_mid_sentence(caplog), "what the old cluster was saying ended there"
            await everybody_goes_on(people)
            await all_at(people, new)
            back = await asyncio.to_thread(start, "back")

            async def break_down() -> None:
                """The way back, and no time to drain."""
                service.leads_to = back
                new.kill_ingress()
                new.leave()

            people += await come(stand, sockets, LATECOMERS)  # last to ask, and with the longest answer: it has to break off
            await in_mid_sentence(people, break_down)
            assert moved_in_mid_sentence(caplog)
            await all_at(people, back)
            await until_gone(new)
            await everybody_goes_on(people)
        count(figures, people, calm, moved_in_mid_sentence(caplog))
        assert not figures["upgrade_refused"]
        for person in people:
            assert len(person.responses) >= 2
            for one, other in zip(person.responses, calm, strict=False):
                assert_same(one, other)

    async def bounded() -> None:
        async with asyncio.timeout(TEST_S):
            await test()

    asyncio.run(bounded())


async def until_gone(left: Cluster) -> None:
    last_s = monotonic() + GONE_S
    while not left.gone:
        assert monotonic() < last_s, "the cluster that was left goes on"
        await asyncio.sleep(0.1)


def moved_in_mid_sentence(caplog: pytest.LogCaptureFixture) -> int:
    return sum("goes on elsewhere" in record.getMessage() for record in caplog.records)


def count(figures: dict[str, object], people: list[Person], calm: list[PlayedResponse], moved: int) -> None:
    responses = [response for person in people for response in person.responses]
    refusals = [message for person in people for message in person.refusals]
    figures |= {
        "upgrade_words_lost": sum(person.words_lost(calm) for person in people),
        "upgrade_words": sum(len(response.words.split()) for response in responses),
        "upgrade_answers": len(responses),
        "upgrade_answers_moved": moved,
        "upgrade_refused": sum(SLOW not in message for message in refusals),
        "upgrade_refused_by_a_slow_machine": sum(SLOW in message for message in refusals),
        "upgrade_first_packet_ms_worst": round(max(response.first_s for response in responses) * 1000),
        "upgrade_gap_ms_worst": round(max(response.gap_s for response in responses) * 1000),
    }
