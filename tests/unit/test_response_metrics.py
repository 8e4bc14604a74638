"""Underruns as the gateway reckons them, and what it counts of a response."""

from prometheus_client import CollectorRegistry

from a2llm.messages import Timings, Usage
from a2serve.gateway.realtime.response.metrics import ResponseMetrics
from a2serve.gateway.realtime.response.pacing import Pacer
from a2serve.gateway.state.facts import TurnFacts
from a2serve.telemetry import names


class Clock:
    now_ms = 0.0

    def __call__(self) -> float:
        return self.now_ms


def speaking(burst: bool = False) -> tuple[Pacer, Clock]:
    """A response of which 200 ms were sent at 0."""
    clock = Clock()
    pacer = Pacer(clock, burst=burst)
    pacer.sent(200)
    return pacer, clock


def test_a_player_that_waits_for_sound_underran_however_often_it_was_asked():
    pacer, clock = speaking()
    for clock.now_ms in (150, 250, 290):  # somebody asks for the position meanwhile
        pacer.played_ms()
    pacer.sent(250)
    assert not pacer.underran  # 90 ms are what players hold back
    for clock.now_ms in (400, 420, 451):  # 250 was played at 340
        pacer.played_ms()
    pacer.sent(300)
    assert pacer.underran


def test_the_end_of_an_answer_a_hold_and_a_burst_are_no_underruns():
    ended, clock = speaking()
    clock.now_ms = 5000
    ended.played_ms()
    held, clock = speaking()
    held.hold()
    clock.now_ms = 3000
    held.resume()
    held.sent(250)
    burst, clock = speaking(burst=True)
    clock.now_ms = 3000
    burst.sent(250)
    assert not any(pacer.underran for pacer in (ended, held, burst))


def test_responses_are_counted_by_how_they_ended():
    registry = CollectorRegistry()
    metrics = ResponseMetrics(registry)
    metrics.count("completed", "", underran=True)
    metrics.count("failed", "no_capacity", underran=False)
    metrics.spoke(320.0, {"prefill": 70.0}, "m1")

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert value(f"{names.METRIC_GATEWAY_RESPONSES}_total", status="completed", code="") == 1
    assert value(f"{names.METRIC_GATEWAY_RESPONSES}_total", status="failed", code="no_capacity") == 1
    assert value(f"{names.METRIC_GATEWAY_FIRST_PACKET_SECONDS}_sum", version="m1") == 0.32
    assert value(f"{names.METRIC_GATEWAY_PHASE_SECONDS}_sum", phase="prefill", version="m1") == 0.07
    assert value(f"{names.METRIC_GATEWAY_UNDERRUNS}_total") == 1


def facts(first_packet_ms: float | None, inference: Timings) -> TurnFacts:
    return TurnFacts(
        "t",
        "s",
        "r",
        "completed",
        "",
        "",
        Usage(),
        inference,
        endpointing_ms=500.0,
        transcription_ms=100.0,
        first_packet_ms=first_packet_ms,
    )


def test_the_phases_of_a_first_sound_sum_up_to_its_time():
    phases = facts(400.0, Timings(queue_ms=10.0, prefill_ms=80.0, first_token_ms=100.0, first_audio_ms=250.0)).phases_ms()
    assert phases == {
        "endpointing": 500.0,
        "transcription": 100.0,
        "admission": 10.0,
        "prefill": 70.0,
        "first_token": 20.0,
        "first_audio": 150.0,
        "delivery": 50.0,
    }
    assert sum(phases.values()) - phases["endpointing"] == 400.0


def test_without_sound_or_without_the_models_times_no_phase_is_counted():
    assert facts(None, Timings(first_audio_ms=250.0)).phases_ms() == {}
    assert facts(400.0, Timings()).phases_ms() == {}
