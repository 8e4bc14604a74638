"""Spans of pages: only those we know, stamped with who sent them; the receiver's certificate is checked. A real receiver."""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from support.secrets.sockets import opened, session_of
from support.servers.gateway import WAIT_S, GatewayStand, gateway_standing, run

from a2serve.local.traces.receiver import Receiver
from a2serve.telemetry import names

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
JSON = {"content-type": "application/json"}


def export(name: str = names.SPAN_WEB_PLAYBACK, **changes: Any) -> dict[str, Any]:
    """Spans of a page that says it is somebody else."""
    facts = [{"key": "a2.underruns", "value": {"intValue": "2"}}, {"key": "a2.tenant", "value": {"stringValue": "globex"}}]
    one = {"traceId": TRACE_ID, "spanId": SPAN_ID, "name": name, "kind": 1, "startTimeUnixNano": "1000000", "endTimeUnixNano": "5000000"}
    said = {"service.name": "a2-gateway", "a2.tenant": "globex", "a2.session_id": "sess_of_somebody"}
    resource = {"attributes": [{"key": key, "value": {"stringValue": value}} for key, value in said.items()]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [one | {"attributes": facts} | changes]}]}]}


@asynccontextmanager
async def receiving(**tls: str) -> AsyncIterator[tuple[Receiver, str]]:
    receiver, listening = Receiver(), socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(receiver.app, log_config=None, access_log=False, **tls))  # type: ignore[arg-type]
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield receiver, f"{'https' if tls else 'http'}://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await asyncio.wait_for(serving, WAIT_S)
        listening.close()


async def minted(made: GatewayStand) -> str:
    async with made.client() as rest:
        return (await rest.post("/v1/realtime/client_secrets", json={})).json()["value"]


def test_spans_are_the_callers_whatever_they_say(valkey_port: int, tmp_path: Path) -> None:
    async def within() -> None:
        async with receiving() as (receiver, url), gateway_standing(tmp_path, valkey_port, otlp_endpoint=url) as made:
            secret = await minted(made)
            async with opened(made, secret) as client, made.client(key=secret) as page:
                session_id = await session_of(client)
                assert (await page.post("/v1/traces", json=export())).status_code == 200
            (span,) = [span for span in receiver.store.all() if span.service == names.SERVICE_WEB]
            assert (span.name, span.trace_id, span.attributes) == (names.SPAN_WEB_PLAYBACK, TRACE_ID, {"a2.underruns": 2})
            forged = [span for span in receiver.store.all() if span.attributes.get("a2.tenant") == "globex"]
            assert not forged and session_id

    run(within)


def test_what_is_sent_on_names_tenant_and_session(valkey_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from a2serve.gateway.rest import traces

    sent: list[bytes] = []

    async def kept(_: object, body: bytes) -> None:
        sent.append(body)

    monkeypatch.setattr(traces, "_forward", kept)

    async def within() -> None:
        async with gateway_standing(tmp_path, valkey_port, otlp_endpoint="http://127.0.0.1:9") as made:
            secret = await minted(made)
            async with opened(made, secret) as client, made.client(key=secret) as page:
                session_id = await session_of(client)
                assert (await page.post("/v1/traces", json=export())).status_code == 200
            assert b"globex" not in sent[0] and b"sess_of_somebody" not in sent[0] and b"a2-gateway" not in sent[0]
            assert b'"acme"' in sent[0] and session_id.encode() in sent[0]

    run(within)


BAD: list[tuple[bytes, dict[str, str], int]] = [
    (b"[null,null]", JSON, 400),
    (b"{", JSON, 400),
    (b"{}", JSON, 400),
    (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{}]}]}]}', JSON, 400),
    (b'{"resourceSpans": "x"}', JSON, 400),
    (b"\x0a\x00", {"content-type": "application/x-protobuf"}, 415),
    (b" " * 70_000, JSON, 413),
]


def test_bad_exports_are_problems(valkey_port: int, tmp_path: Path) -> None:
    async def within() -> None:
        async with (
            receiving() as (receiver, url),
            gateway_standing(tmp_path, valkey_port, otlp_endpoint=url) as made,
            made.client() as rest,
        ):
            bad = [await rest.post("/v1/traces", content=body, headers=kind) for body, kind, _ in BAD]
            wrong: list[dict[str, Any]] = [{"traceId": "x"}, {"endTimeUnixNano": "1"}, {"startTimeUnixNano": -1}, {"attributes": [1]}]
            bad += [await rest.post("/v1/traces", json=export(**changes)) for changes in wrong]
            bad += [await rest.post("/v1/traces", json=export(name=name)) for name in ("a2.gateway.turn", "anything")]
            for response, status in zip(bad, [status for *_, status in BAD] + [400] * 6, strict=True):
                assert response.status_code == status, response.text
                assert response.headers["content-type"] == "application/problem+json" and response.json()["request_id"]
            surrogate = await rest.post("/v1/traces", content=b'{"\\ud800": 1}', headers=JSON)
            assert surrogate.status_code in (400, 422) and surrogate.json()["code"]
            assert not [span for span in receiver.store.all() if span.service != "a2-gateway"]

    run(within)


@pytest.fixture
def certificate(tmp_path: Path) -> Callable[[str], Path]:
    def path(name: str) -> Path:
        return tmp_path / name

    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=receiver",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            path("key.pem"),
            "-out",
            path("cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
    assert ssl.create_default_context(cafile=path("cert.pem")).cert_store_stats()["x509"] == 1
    return path


def test_the_receivers_certificate_is_checked(valkey_port: int, tmp_path: Path, certificate: Callable[[str], Path]) -> None:
    async def within() -> None:
        tls = {"ssl_keyfile": str(certificate("key.pem")), "ssl_certfile": str(certificate("cert.pem"))}
        for ca_file, status in ((None, 503), (certificate("cert.pem"), 200)):
            folder = tmp_path / str(status)
            folder.mkdir()
            async with receiving(**tls) as (receiver, url):
                async with gateway_standing(folder, valkey_port, otlp_endpoint=url, otlp_ca_file=ca_file) as made, made.client() as rest:
                    assert (await rest.post("/v1/traces", json=export())).status_code == status
                web = [span for span in receiver.store.all() if span.service == names.SERVICE_WEB]
                assert len(web) == (1 if ca_file else 0)

    run(within)
