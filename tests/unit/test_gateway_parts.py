"""Small parts of the gateway without servers: what a secret fixes, sound files, request ids, problems, Redis keys."""

import io
import json
import logging
import math
import wave

import numpy as np
import pytest

from a2serve.contracts.problems import MEANINGS, Code, Problem
from a2serve.gateway import request_context
from a2serve.gateway.access.client_secrets import SECRET
from a2serve.gateway.edge import problem_responses
from a2serve.gateway.hearing.sound_files import RATES_HZ, read_wav, write_wav
from a2serve.gateway.state import redis_keys
from a2serve.gateway.state.usage_reader import read_only


def test_a_secret_names_its_tenant_only_to_be_found() -> None:
    assert SECRET.fullmatch("ek_acme-2_" + "a_-Z" * 10 + "abc")[1] == "acme-2"  # type: ignore[index]
    for odd in ("ek_a:b_" + "a" * 43, "ek_acme_" + "a" * 42, "sk_acme_" + "a" * 43, "ek__" + "a" * 43):
        assert SECRET.fullmatch(odd) is None


def test_every_redis_key_begins_with_its_tenant() -> None:
    with_ids = (redis_keys.session, redis_keys.conversation, redis_keys.busy, redis_keys.client_secret, redis_keys.responses_of)
    alone = (redis_keys.personas, redis_keys.request_rate, redis_keys.live)
    keys = [make("acme", "x") for make in with_ids] + [make("acme") for make in alone]
    assert len(set(keys)) == len(keys) and all(key.startswith(f"{redis_keys.PREFIX}:acme:") for key in keys)
    with pytest.raises(AssertionError):
        redis_keys.session("acme:x", "y")


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("channels", [1, 2])
def test_wav_of_any_usual_kind_comes_in_at_our_rate(rate_hz: int, channels: int) -> None:
    tone = (8000 * np.sin(2 * math.pi * 400 * np.arange(rate_hz) / rate_hz)).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(np.repeat(tone, channels).tobytes())
    heard = np.frombuffer(read_wav(file.getvalue()), "<i2").astype(float)
    assert abs(len(heard) - 24_000) <= 2
    spectrum = np.abs(np.fft.rfft(heard[:24_000], 24_000))
    assert spectrum.argmax() == 400 and 0.9 < spectrum[400] / (8000 * 12_000) < 1.1


@pytest.mark.parametrize("data", [b"", b"RIFF", b"\0" * 100, write_wav(b"\0\0" * 10)[:40]])
def test_what_is_no_wav_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(Problem) as refused:
        read_wav(data)
    assert refused.value.code is Code.INVALID_AUDIO


def test_wav_goes_out_as_it_came_in() -> None:
    pcm16 = np.arange(-500, 500, dtype="<i2").tobytes()
    assert read_wav(write_wav(pcm16)) == pcm16


def test_every_code_is_an_answer() -> None:
    for code in Code:
        response = problem_responses.problem_response(Problem(code, "why", param="p", retry_after_ms=1001))
        body = json.loads(bytes(response.body))
        assert (response.status_code, body["status"], body["code"]) == (MEANINGS[code].status, MEANINGS[code].status, code)
        assert response.headers["retry-after"] == "2" and body["param"] == "p"
    assert "retry-after" in problem_responses.problem_response(Problem(Code.NO_CAPACITY, "")).headers
    assert "retry-after" not in problem_responses.problem_response(Problem(Code.NOT_FOUND, "")).headers


def test_log_lines_carry_who_asked() -> None:
    record = logging.makeLogRecord({"msg": "x", "session_id": "own"})
    request_context.begin("req-1").tenant = "acme"
    request_context.current().session_id = "other"
    assert request_context.ContextFilter().filter(record)
    assert (record.request_id, record.tenant) == ("req-1", "acme")  # type: ignore[attr-defined]
    assert record.session == request_context.log_id("own") and not hasattr(record, "session_id")  # type: ignore[attr-defined]


def test_usage_is_opened_for_reading() -> None:
    assert read_only("sqlite:////a/b.sqlite") == "sqlite:///file:/a/b.sqlite?mode=ro&uri=true"
    assert read_only("postgresql+psycopg://u@h/d") == "postgresql+psycopg://u@h/d"
