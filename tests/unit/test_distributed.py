"""Training in several processes: alone nothing changes, two agree and learn the same as they would again."""

import os
import subprocess
import sys
from pathlib import Path

import torch

from a2llm.training.distributed import ALONE, world

PROGRAM = """
import os, sys, torch
from pathlib import Path
from a2llm.training.distributed import world
from a2llm.training.loop import LoopConfig, TrainingRun
out, steps = Path(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(1)
def train(together):
    torch.manual_seed(0)
    module = torch.nn.Linear(3, 1)
    run = TrainingRun("line", module, LoopConfig(steps=4, log_every=1), out, world=together)
    shared = together.wrap(module)
    def step(index):
        x = torch.full((1, 3), float(index * together.size + together.rank))
        loss = shared(x).square().mean()
        if index == steps:
            raise KeyboardInterrupt
        return loss, {}
    assert together.agree(float(together.rank)) == 0.0
    try:
        run.run(step)
    except KeyboardInterrupt:
        pass
    together.wait()
    weights = [round(value, 6) for value in module.weight[0].tolist()]
    os.write(1, f"{together.rank} {weights}\\n".encode())  # at once, or the two lines mix
with world() as together:
    train(together)
"""


def torchrun(folder: Path, steps: int = 9) -> list[str]:
    """The last weights that both processes print."""
    (folder / "program.py").write_text(PROGRAM)
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "program.py",
        str(folder),
        str(steps),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return sorted(done.stdout.splitlines())


def test_alone_nothing_changes():
    module = torch.nn.Linear(2, 2)
    with world() as together:
        assert together == ALONE and together.leads and together.wrap(module) is module and together.agree(3.0) == 3.0
        together.wait()


def test_two_processes_hold_the_same_weights_and_go_on_where_they_stopped(tmp_path: Path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir(), parts.mkdir()
    first, second = torchrun(whole)
    assert first[0] == "0" and second[0] == "1" and first[1:] == second[1:]
    stopped = torchrun(parts, steps=2)
    assert torchrun(parts) == [first, second] != stopped
    assert len((whole / "line.curve.jsonl").read_text().splitlines()) == 4, "the leader alone reports"
