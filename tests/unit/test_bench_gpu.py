"""The GPU's benchmark: it says what it wants, and every step of it runs with a tiny model on a CPU."""

import json
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

PROGRAM = Path(__file__).parents[1] / "bench" / "gpu.py"


@pytest.fixture(scope="module")
def bench() -> Iterator[Callable[[list[str]], None]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(PROGRAM.parent)
        yield runpy.run_path(str(PROGRAM))["main"]


def test_every_step_of_it(bench: Callable[[list[str]], None], tmp_path: Path):
    bench(["--device", "cpu", "--tiny", "--json", str(tmp_path / "gpu.json")])
    report = json.loads((tmp_path / "gpu.json").read_text())
    for name in ("streams_single", "streams_batched", "step_ms_at_1", "step_ms_at_2", "kv_bytes_per_token"):
        assert report[name] > 0, name


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(("arguments", "why"), [([], "wants a GPU"), (["--device", "cpu"], "go together"), (["--tiny"], "go together")])
def test_no_gpu(bench: Callable[[list[str]], None], capsys: pytest.CaptureFixture[str], arguments: list[str], why: str):
    with pytest.raises(SystemExit):
        bench(arguments)
    assert why in capsys.readouterr().err
