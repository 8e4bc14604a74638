"""Says what a persona's language model may be, where a gateway may connect to, and which key it sends."""

import asyncio
import ipaddress
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from a2llm.messages import Affect, ResponseOptions, ResponseRequest, SystemText, Tool, UserTurn
from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.language_model.body import LanguageModelBody
from a2serve.gateway.language_model.chat import DRAWING, chat_messages, chat_request
from a2serve.gateway.language_model.egress import Egress, Forbidden

PRIVATE = [ipaddress.ip_network("10.2.0.0/16")]


def model(url: str = "https://api.example.com/v1", **other: Any) -> LanguageModelBody:
    return LanguageModelBody(url=url, model="m", **other)


@pytest.mark.parametrize(
    "url", ["ftp://a.b/v1", "https://", "file:///etc/passwd", "https://u:p@a.b/v1", "https://a.b/v1?key=1", "https://a.b/v1#x", "a.b/v1"]
)
def test_a_url_that_cannot_be(url: str) -> None:
    with pytest.raises(ValidationError):
        model(url)


@pytest.mark.parametrize(
    "other", [{"parameters": {"messages": "x"}}, {"parameters": {"stream": False}}, {"key_secret": "../x"}, {"key": "x"}]
)
def test_what_is_not_the_tenants_to_say(other: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model(**other)


@pytest.mark.parametrize("host", ["api.example.com", "API.example.com", "api.example.com."])
def test_hosts_on_the_list(host: str) -> None:
    Egress(["api.example.com"]).check("acme", model(f"https://{host}/v1"))
    Egress(["*.example.com"]).check("acme", model(f"https://{host}/v1"))


@pytest.mark.parametrize(
    "host", ["example.com.evil.net", "evilexample.com", "example.com", "10.0.0.1", "localhost", "169.254.169.254", "[::1]"]
)
def test_hosts_that_are_not_on_the_list(host: str) -> None:
    with pytest.raises(Problem) as error:
        Egress(["*.example.com"]).check("acme", model(f"https://{host}/v1"))
    assert (error.value.code, error.value.param) == (Code.UNSUPPORTED, "language_model.url")


def test_without_tls_only_in_networks_that_are_named() -> None:
    with pytest.raises(Problem):
        Egress(["llm"]).check("acme", model("http://llm/v1"))
    Egress(["llm"], PRIVATE).check("acme", model("http://llm/v1"))


ADDRESSES = {
    "93.184.216.34": (True, False),
    "2606:2800:220:1:248:1893:25c8:1946": (True, False),
    "10.2.3.4": (True, True),  # named
    "::ffff:10.2.3.4": (True, True),
    "10.3.0.1": (False, False),
    "127.0.0.1": (False, False),
    "0.0.0.0": (False, False),
    "::1": (False, False),
    "::ffff:127.0.0.1": (False, False),
    "::ffff:169.254.169.254": (False, False),
    "169.254.169.254": (False, False),
    "fe80::1": (False, False),
    "fd00:ec2::254": (False, False),
    "100.64.0.1": (False, False),
    "192.168.1.1": (False, False),
    "224.0.0.1": (False, False),
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_addresses(address: str) -> None:
    egress = Egress(["x"], PRIVATE)
    assert tuple(egress.allows(ipaddress.ip_address(address), tls=tls) for tls in (True, False)) == ADDRESSES[address]


def test_link_local_addresses_cannot_be_named() -> None:
    egress = Egress(["x"], [ipaddress.ip_network("169.254.0.0/16"), ipaddress.ip_network("0.0.0.0/0")])
    assert not egress.allows(ipaddress.ip_address("169.254.169.254"), tls=True)


def _resolving(monkeypatch: pytest.MonkeyPatch, *found: list[str]) -> list[str]:
    """The answers of the name service, one a question; returns the names that were asked for."""
    left, asked = list(found), list[str]()

    async def getaddrinfo(self: object, host: str, port: int, **_: object) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in left.pop(0)]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return asked


def test_a_name_that_means_a_private_address_too_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _resolving(monkeypatch, ["93.184.216.34", "127.0.0.1"])
    with pytest.raises(Forbidden):
        asyncio.run(Egress(["a.b"]).address("a.b", 443, tls=True))


def test_the_checked_address_is_the_one_that_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that means something else when it is asked for again (rebinding) leads nowhere: it is not asked for again."""
    from a2serve.gateway.language_model.egress import CheckedTransport

    asked, sent = _resolving(monkeypatch, ["93.184.216.34"]), list[httpx.Request]()

    async def connect(self: object, request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", connect)

    async def scenario() -> None:
        async with httpx.AsyncClient(transport=CheckedTransport(Egress(["api.example.com"]))) as client:
            await client.post("https://api.example.com:8443/v1/chat/completions")

    asyncio.run(scenario())
    assert asked == ["api.example.com"]
    assert str(sent[0].url) == "https://93.184.216.34:8443/v1/chat/completions"
    assert sent[0].headers["host"] == "api.example.com:8443"
    assert sent[0].extensions["sni_hostname"] == "api.example.com"


def test_keys_are_the_tenants_own_or_everybodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme.chat").write_text("of-acme\n")
    (tmp_path / "_.shared").write_text("of-all")
    (tmp_path / "acme.bad").write_bytes(b"a\r\nx-evil: 1")
    monkeypatch.setenv("CHAT_KEY", "of-the-environment")
    monkeypatch.setenv("OTHER", "secret")
    egress = Egress(["api.example.com"], (), tmp_path, ["CHAT_KEY"])
    assert egress.key("acme", model()) == ""
    assert egress.key("acme", model(key_secret="chat")) == "of-acme"
    assert egress.key("globex", model(key_secret="shared")) == "of-all"
    assert egress.key("globex", model(key_secret="CHAT_KEY")) == "of-the-environment"
    for tenant, name in (("globex", "chat"), ("acme", "OTHER"), ("acme", "bad"), ("acme", "PATH")):
        with pytest.raises(Problem) as error:
            egress.check(tenant, model(key_secret=name))
        assert error.value.param == "language_model.key_secret"
        assert "secret" in error.value.detail
        assert "evil" not in error.value.detail


def test_options_of_a_response_count_before_the_personas() -> None:
    options = ResponseOptions(1, temperature=0.0, top_p=0.5, max_output_tokens=9, tools=(Tool("wait"),), tool_choice="wait")
    body = chat_request(model(parameters={"temperature": 1.0, "stop": "END"}), ResponseRequest("s", "r", (), options))
    assert (body["temperature"], body["top_p"], body["max_tokens"], body["stop"]) == (0.0, 0.5, 9, "END")
    assert body["tool_choice"] == {"type": "function", "function": {"name": "wait"}}
    assert set(DRAWING) == {"temperature", "top_p"}
    assert "tools" not in chat_request(model(), ResponseRequest("s", "r", (), ResponseOptions(tools=(Tool("wait"),), tool_choice="none")))


def test_how_the_user_sounded_and_facts_stand_in_the_messages() -> None:
    items = (SystemText("The guest is Ada."), UserTurn("My dog ran away.", Affect("sadness", 0.7)), UserTurn("Hm.", Affect()))
    said = [message["content"] for message in chat_messages(ResponseRequest("s", "r", items))[1:]]
    assert said == ["The guest is Ada.", "My dog ran away. (voice: sadness)", "Hm."]
