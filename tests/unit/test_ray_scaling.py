"""How many replicas are wanted: by slots, by late first packets; and what a replica tells."""

from types import SimpleNamespace

import pytest

from a2serve.inference.ray_scaling import FRL_MS, REFUSED, SLOTS, SPEAKING, Load, SlotsPolicy


def context(*replicas: tuple[float, float, float, float], target: int = 1) -> SimpleNamespace:
    """Of replicas with (slots, speaking, refused, frl_ms)."""
    columns = zip((SLOTS, SPEAKING, REFUSED, FRL_MS), zip(*replicas, strict=True), strict=True)
    return SimpleNamespace(aggregated_metrics={name: dict(enumerate(values)) for name, values in columns}, target_num_replicas=target)


@pytest.mark.parametrize(("replicas", "wanted"), [
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
])  # fmt: skip
def test_enough_that_the_slots_in_use_are_their_share(replicas: list[tuple[float, float, float, float]], wanted: int) -> None:
    assert SlotsPolicy(share=0.7, frl_limit_ms=600)(context(*replicas)) == (wanted, {})


@pytest.mark.parametrize("told", [None, {}])
def test_nothing_changes_before_replicas_have_told_anything(told: dict | None) -> None:
    silent = SimpleNamespace(aggregated_metrics=told, target_num_replicas=3)
    assert SlotsPolicy(0.7, 600)(silent) == (3, {})


def test_a_replica_tells_what_speaks_what_was_refused_and_what_came_late() -> None:
    load = Load()
    assert load.told(slots=4, speaking=3) == {SLOTS: 4, SPEAKING: 3, REFUSED: 0, FRL_MS: 0}
    load.refused()
    load.first_packet(80)
    load.first_packet(120)
    assert load.told(4, 4) == {SLOTS: 4, SPEAKING: 4, REFUSED: 1, FRL_MS: 120}
