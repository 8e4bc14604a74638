"""The training loop: its schedule, its curve, and that a stopped run goes on as if it had not stopped."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from a2llm.training.loop import LoopConfig, TrainingRun

CONFIG = LoopConfig(steps=20, peak_lr=0.05, warmup_steps=4, log_every=5)


def model() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(3, 1)


def fit(module: nn.Module):
    """A step whose data depend on its number alone."""

    def step(index: int):
        x = torch.randn(8, 3, generator=torch.Generator().manual_seed(index))
        loss = (module(x)[:, 0] - x.sum(1)).square().mean()
        return loss, {"error": loss}

    return step


def train(folder: Path, stop_at: int | None = None, config: LoopConfig = CONFIG) -> tuple[nn.Module, TrainingRun]:
    module = model()
    run, step = TrainingRun("line", module, config, folder), fit(module)

    def stopping(index: int):
        if index == stop_at:
            raise KeyboardInterrupt
        return step(index)

    run.run(stopping)
    return module, run


def curve(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "line.curve.jsonl").read_text().splitlines()]


def test_it_learns_and_leaves_a_curve(tmp_path: Path):
    _, run = train(tmp_path)
    figures = curve(tmp_path)
    assert [f["step"] for f in figures] == [5, 10, 15, 20]
    assert figures[-1]["error"] < 0.5 * figures[0]["error"]
    assert run.progress == 1.0
    assert run.describe()["steps"] == 20


def test_a_stopped_run_goes_on_to_the_same_weights(tmp_path: Path):
    straight, _ = train(tmp_path / "a")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "b", stop_at=13)
    assert (tmp_path / "b" / "line.run.pt").exists()
    resumed, run = train(tmp_path / "b")
    assert run.step_index == 20
    assert all(torch.equal(a, b) for a, b in zip(straight.parameters(), resumed.parameters(), strict=True))
    assert [f["step"] for f in curve(tmp_path / "b")] == [5, 10, 15, 20]


def test_a_finished_run_does_nothing_more(tmp_path: Path):
    before, _ = train(tmp_path)
    after, _ = train(tmp_path, stop_at=0)
    assert torch.equal(before.get_parameter("weight"), after.get_parameter("weight"))


def test_the_time_limit_ends_it(tmp_path: Path):
    _, run = train(tmp_path, config=LoopConfig(steps=10**6, time_limit_s=0.05))
    assert run.progress >= 1.0
    assert run.step_index < 10**6


def test_every_save_is_announced(tmp_path: Path):
    module, saved = model(), []
    run = TrainingRun("line", module, LoopConfig(steps=3, save_every_s=0.0), tmp_path)
    run.on_save = lambda: saved.append(run.step_index)
    run.run(fit(module))
    assert saved == [1, 2, 3, 3]
    assert [f.name for f in tmp_path.glob("*.tmp")] == []


def test_frozen_parameters_stay(tmp_path: Path):
    module = model()
    module.bias.requires_grad_(False)
    before = module.bias.clone()
    TrainingRun("line", module, CONFIG, tmp_path).run(fit(module))
    assert torch.equal(module.bias, before)


def test_the_rate_warms_up_and_cools_down():
    rates = [CONFIG.rate(step, step / 20) for step in range(21)]
    assert rates[0] == pytest.approx(0.05 / 4, rel=0.01)
    assert max(rates) == rates[3]
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert rates[-1] == pytest.approx(0.05 / 100)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"peak_lr": -1.0}])
def test_settings_that_cannot_be(wrong: dict[str, float]):
    with pytest.raises(ValueError, match="positive"):
        LoopConfig(**wrong)
