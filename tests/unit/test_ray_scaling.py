"""How many replicas are wanted: by slots, by late first packets; and what a replica tells."""

from types import SimpleNamespace

import pytest

from a2serve.inference.ray_scaling import EAR_WAIT_MS, EARS, FRL_MS, HEARING, REFUSED, SLOTS, SPEAKING, Load, SlotsPolicy

POLICY = SlotsPolicy(share=0.7, frl_limit_ms=600)


def context(*replicas: tuple[float, ...], target: int = 1) -> SimpleNamespace:
    """Context of replicas with (slots, speaking, refused, frl_ms) and perhaps (ears, hearing, ear_wait_ms)."""
    names = (SLOTS, SPEAKING, REFUSED, FRL_MS, EARS, HEARING, EAR_WAIT_MS)[: len(replicas[0])]
    columns = zip(names, zip(*replicas, strict=True), strict=True)
    return SimpleNamespace(aggregated_metrics={name: dict(enumerate(values)) for name, values in columns}, target_num_replicas=target)


@pytest.mark.parametrize(
    ("replicas", "wanted"),
    [
        ([(4, 0, 0, 0)], 1),
        ([(4, 2.8, 0, 100)], 1),  # 70% of 4
        ([(4, 3, 0, 100)], 2),
        ([(4, 4, 0, 100), (4, 4, 0, 100)], 3),
        ([(4, 0.5, 0, 100), (4, 0.5, 0, 100), (4, 0, 0, 0)], 1),
        ([(4, 1, 0, 900)], 2),  # few speak, but the first packet comes late
        ([(4, 2, 0.1, 100), (4, 1, 0, 100)], 3),  # somebody was refused
        ([(4, 4, 0, 900)] * 3 + [(4, 2, 0, 100)] * 37, 31),  # three of forty are late, as always some are
        ([(4, 4, 0, 900)] * 4 + [(4, 1, 0, 100)] * 36, 44),  # a tenth is late: a tenth more
        ([(4, 4, 0.1, 100)] + [(4, 1, 0, 100)] * 39, 44),  # somebody had no place at all
    ],
)
def test_enough_that_the_slots_in_use_are_their_share(replicas: list[tuple[float, ...]], wanted: int) -> None:
    assert POLICY(context(*replicas)) == (wanted, {})


@pytest.mark.parametrize(
    ("replicas", "wanted"),
    [
        ([(4, 1, 0, 0, 1, 0.7, 50)], 1),
        ([(4, 1, 0, 0, 1, 0.8, 50)], 2),  # few speak, but the ear is in use for more than its share of the time
        ([(4, 1, 0, 0, 2, 5.0, 50), (4, 1, 0, 0, 2, 0.2, 50)], 4),  # three wait for the two ears of one
        ([(4, 1, 0, 0, 1, 0.2, 250)], 2),  # what is said waits
        ([(4, 1, 0, 900, 1, 0.2, 250)] + [(4, 1, 0, 0, 1, 0.2, 0)] * 19, 8),  # at one of twenty, in both ways: still one
        ([(4, 1, 0, 900, 1, 0.2, 0), (4, 1, 0, 0, 1, 0.2, 250)] + [(4, 1, 0, 0, 1, 0.2, 0)] * 18, 22),  # at two of them
    ],
)
def test_slow_ears_are_a_reason_for_more(replicas: list[tuple[float, ...]], wanted: int) -> None:
    assert POLICY(context(*replicas)) == (wanted, {})


@pytest.mark.parametrize("reported", [None, {}])
def test_nothing_changes_before_replicas_have_told_anything(reported: dict | None) -> None:
    silent = SimpleNamespace(aggregated_metrics=reported, target_num_replicas=3)
    assert POLICY(silent) == (3, {})


def test_a_replica_tells_what_speaks_what_was_refused_and_what_came_late() -> None:
    load = Load()
    reported = {SLOTS: 4, SPEAKING: 3, REFUSED: 0, FRL_MS: 0, EARS: 1, HEARING: 2, EAR_WAIT_MS: 0}
    assert load.reported(slots=4, speaking=3, ears=1, hearing=2) == reported
    load.refused()
    load.first_packet(80)
    load.first_packet(120)
    load.ear_waited(100)
    load.ear_waited(40)
    assert load.reported(4, 3, 1, 2) == reported | {REFUSED: 1, FRL_MS: 120, EAR_WAIT_MS: 70}
