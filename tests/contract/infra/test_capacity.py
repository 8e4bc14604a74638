"""The calculator, the shared policy, and the counted crowd against sessions that are followed one by one."""

import sys
from dataclasses import replace

import pytest
from support.infra_files import INFRA

sys.path.insert(0, str(INFRA))

from capacity.calculator import hearing, need, usd_per_1000_minutes
from capacity.crowd import Crowd, full_shares
from capacity.fleet import Autoscaler, Fleet
from capacity.inputs import read_inputs
from capacity.outcome import Outcome
from capacity.sessions import Simulation

INPUTS = read_inputs()
L4 = replace(INPUTS.hardware["l4"], slots=16)
EIGHT_S = 8 * 3600


def test_sessions_become_slots_replicas_nodes_and_dollars():
    cpu = replace(INPUTS.hardware["cpu"], slots=3, replicas_per_node=8, node_usd_per_hour=0.8)
    found = need(1000, INPUTS, cpu, share=0.5)
    assert found.replicas == -(-found.speaking // 1.5) and found.nodes == -(-found.replicas // 8)
    assert found.usd_per_hour == pytest.approx(0.8 * found.nodes)
    assert found.usd_per_1000_minutes == pytest.approx(usd_per_1000_minutes(INPUTS, cpu, 0.5), rel=0.03)


def test_ears_keep_up_with_the_slots_in_use():
    """The workers that the service takes for its slots, by what an utterance costs; and a tenth of them would not do."""
    for hardware in INPUTS.hardware.values():
        ears = hearing(INPUTS, hardware, share=0.7)
        assert 0 < ears.busy_share <= INPUTS.ears.busy_share, (hardware.name, ears)
    slow = replace(INPUTS, ears=replace(INPUTS.ears, utterance_cpu_s=0.43))  # as once measured on a busy machine
    assert all(hearing(slow, hardware, share=0.7).busy_share <= INPUTS.ears.busy_share for hardware in INPUTS.hardware.values())
    assert hearing(slow, replace(L4, slots=60), share=0.7).cpus > 1.5  # which one worker could not do


def test_slots_are_measured_where_there_is_a_measurement(tmp_path):
    (tmp_path / "scale.json").write_text('{"streams_batched": 9, "step_ms_at_1": 8.0, "step_ms_at_4": 21.5, "step_ms_at_8": 44.0}')
    (tmp_path / "gpu.json").write_text('{"gpu_name": "NVIDIA H100 80GB HBM3", "step_ms_by_batch": {"64": 20.0, "256": 38.0}}')
    found = read_inputs(figures=tmp_path).hardware
    assert (found["cpu"].slots, found["cpu"].source) == (4, "docs/figures/scale.json")  # 44 ms are more than 0.8 of a frame
    assert (found["h100"].slots, found["h100"].source) == (256, "docs/figures/gpu.json")
    assert found["l4"].source == "assumption"


def test_a_wanted_number_has_to_last_and_a_replica_takes_its_time():
    scaler, fleet = Autoscaler(INPUTS.scaling, 16, 1, 100), Fleet(replace(L4, node_start_s=100, replica_start_s=10, node_idle_s=60), 2)
    targets = {}
    for now_s in range(400):
        fleet.tick(now_s)
        speaking = 30.0 if now_s < 200 else 5.0
        wanted = scaler.decide(now_s, fleet.ready, fleet.target, speaking, refused=False)
        if wanted != fleet.target:
            fleet.go_to(wanted, now_s)
            targets[now_s] = (wanted, fleet.paid)
    assert list(targets.values()) == [(3, 3), (1, 3)]
    up, down = targets
    assert up == INPUTS.scaling.up_s and 200 + INPUTS.scaling.down_s <= down <= 210 + INPUTS.scaling.down_s
    assert fleet.paid == 1  # the empty nodes went a minute later


def test_a_warm_node_is_taken_before_a_new_one():
    fleet = Fleet(replace(L4, node_start_s=100, replica_start_s=10, node_idle_s=600), 3)
    assert fleet.go_to(1, 0) == 2
    assert fleet.go_to(4, 5) == 0
    fleet.tick(15)
    assert (fleet.ready, fleet.target, fleet.paid) == (3, 4, 4)
    fleet.tick(115)
    assert fleet.ready == 4


def test_full_replicas_are_those_of_erlang():
    mean, full = full_shares(3)
    assert full[(abs(mean - 1.5)).argmin()] == pytest.approx(0.19, abs=0.02)  # B(3, 1.86)
    assert full[-1] > 0.99


def test_the_counted_crowd_is_the_followed_one():
    """Half an hour of the morning's rise. Refusals of the crowd may be higher: it lets replicas be full by chance, each by itself."""
    scaling, peak, seconds = replace(INPUTS.scaling, share=0.85), 200, 1800
    crowd = Crowd(INPUTS, L4, [scaling] * 6, peak, seed=1, seconds=seconds, begin_s=EIGHT_S)
    crowd.run()
    counted = crowd.outcome()
    followed = [Simulation(INPUTS, L4, scaling, peak, seconds, EIGHT_S, seed).run() for seed in range(2)]
    assert counted.asked / 6 == pytest.approx(sum(one.asked for one in followed) / 2, rel=0.1)
    assert counted.utilisation_pct == pytest.approx(_mean(followed, "utilisation_pct"), rel=0.1)
    assert counted.usd_per_1000_minutes(L4) == pytest.approx(sum(one.usd_per_1000_minutes(L4) for one in followed) / 2, rel=0.1)
    assert _mean(followed, "refused_pct") / 3 - 0.1 <= counted.refused_pct <= _mean(followed, "refused_pct") + 2.0


def test_the_same_seed_is_the_same_day():
    days = [Crowd(INPUTS, L4, [INPUTS.scaling], 200, seed=7, seconds=600) for _ in range(2)]
    assert (days[0].run().speaking == days[1].run().speaking).all()


def _mean(outcomes: list[Outcome], name: str) -> float:
    return sum(getattr(one, name) for one in outcomes) / len(outcomes)
