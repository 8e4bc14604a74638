"""The numbers of inputs.toml, with what was measured in their place where there is a measurement."""

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FIGURES = HERE.parents[1] / "docs" / "figures"
ASSUMED = "assumption"


@dataclass(frozen=True)
class Traffic:
    """Behaviour of users. Times are means of exponential distributions."""

    answer_s: float
    pause_s: float
    session_s: float
    patience_s: float
    retry_s: float
    night_share: float
    surge_share: float
    surge_s: float
    surge_margin: float


@dataclass(frozen=True)
class Engine:
    """When a batch is still in time."""

    frame_ms: float
    step_share: float

    def largest_batch(self, step_ms: Mapping[int, float]) -> int:
        """Largest of the measured batches that keeps its step's time; 0 if even the smallest is late."""
        return max((batch for batch, took_ms in step_ms.items() if took_ms <= self.step_share * self.frame_ms), default=0)


@dataclass(frozen=True)
class Ears:
    """Cost of hearing."""

    utterance_cpu_s: float
    busy_share: float


@dataclass(frozen=True)
class Scaling:
    """The policy's numbers; `share` is the slots that may speak."""

    look_back_s: float
    up_s: float
    down_s: float
    cell_sessions: int
    share: float = 0.7


@dataclass(frozen=True)
class Hardware:
    """A kind of node, and the replicas on it. `source` says where `slots` is from."""

    name: str
    replicas_per_node: int
    slots: int
    gpu_name: str
    node_usd_per_hour: float
    spot_factor: float
    node_start_s: float
    replica_start_s: float
    node_idle_s: float
    source: str = ASSUMED

    @property
    def replica_usd_per_hour(self) -> float:
        return self.node_usd_per_hour / self.replicas_per_node


@dataclass(frozen=True)
class Inputs:
    """All inputs of the calculation and the simulation."""

    traffic: Traffic
    engine: Engine
    ears: Ears
    scaling: Scaling
    hardware: dict[str, Hardware]

    @property
    def busy_s(self) -> float:
        """How long an answer keeps its slot: a full batch makes sound a little faster than it is played."""
        return self.traffic.answer_s * self.engine.step_share

    @property
    def speaking_share(self) -> float:
        """Share of the open sessions that speak. The pause counts from the end of the speech, so what is made ahead is a pause too."""
        return self.busy_s / (self.traffic.answer_s + self.traffic.pause_s)

    @property
    def ear_cpus_per_session(self) -> float:
        """CPU seconds a second of an open session: every user says something before each response."""
        return self.ears.utterance_cpu_s / (self.traffic.answer_s + self.traffic.pause_s)

    @property
    def quiet_s(self) -> float:
        """Time from a slot's release to the next question."""
        return self.traffic.answer_s + self.traffic.pause_s - self.busy_s


def read_inputs(path: Path = HERE / "inputs.toml", figures: Path = FIGURES) -> Inputs:
    """Reads the inputs, with measured figures where there are some. Raises TypeError for an unknown name, OSError."""
    raw = tomllib.loads(path.read_text())
    engine = Engine(**raw["engine"])
    hardware = {name: _measured(Hardware(name=name, **numbers), engine, figures) for name, numbers in raw["hardware"].items()}
    traffic, ears = Traffic(**raw["traffic"]), Ears(**raw["ears"])
    traffic = replace(traffic, answer_s=_figures(figures, "bench.json").get("audio_s_mean", traffic.answer_s))
    ears = replace(ears, utterance_cpu_s=_figures(figures, "ears.json").get("ear_cpu_s_per_utterance", ears.utterance_cpu_s))
    return Inputs(traffic, engine, ears, Scaling(**raw["scaling"]), hardware)


def _measured(hardware: Hardware, engine: Engine, figures: Path) -> Hardware:
    """With the slots that were measured, where that was on such a machine."""
    if hardware.gpu_name:
        file = "gpu.json"
        found = _figures(figures, file)
        slots = _slots(found, engine) if hardware.gpu_name in found.get("gpu_name", "") else 0
    else:
        file = "scale.json"
        slots = _slots(_figures(figures, file), engine)
        if not slots and (rtf := _figures(figures, "bench.json").get("rtf")):
            file, slots = "bench.json", math.floor(engine.step_share / rtf)
    return replace(hardware, slots=int(slots), source=f"docs/figures/{file}") if slots else hardware


def _slots(found: Mapping[str, Any], engine: Engine) -> int:
    """The largest batch that is in time, by the table of step times; without one, the streams that were held."""
    table = found.get("step_ms_by_batch") or {key.rpartition("_")[2]: ms for key, ms in found.items() if key.startswith("step_ms_at_")}
    steps = {int(batch): float(took_ms) for batch, took_ms in table.items() if str(batch).isdecimal()}
    return engine.largest_batch(steps) or int(found.get("streams_batched", 0))


def _figures(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    return json.loads(path.read_text()) if path.is_file() else {}
