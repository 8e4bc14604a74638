"""Every setting of the inference service, read once from the environment: A2_INFERENCE_<NAME>."""

import math
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from a2serve.contracts.starting import LogLevel
from a2serve.inference.pace import Pace

# One of about four people in conversation speaks in a slot (docs/capacity.md): 22 people with an utterance each 12 s, for
# which a worker needs 0.2 s, 0.43 s on a busy machine. So a worker is at most four fifths in use when every slot speaks.
SLOTS_PER_EAR = 6


class InferenceSettings(BaseSettings):
    """Settings of a host. `python -m a2serve.inference --help` prints them."""

    model_config = SettingsConfigDict(env_prefix="A2_INFERENCE_", frozen=True)

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=50051, ge=0, le=65535, description="gRPC port; 0 takes a free one and prints it")
    metrics_port: int = Field(default=9464, ge=-1, le=65535, description="Prometheus port; 0 takes a free one, -1 none")
    slots: int = Field(default=4, ge=1, le=256, description="responses at the same time; silent sessions keep theirs if they can")
    context_tokens: int = Field(default=2048, ge=1024, le=8192, description="longest conversation in tokens; older items are left out")
    device: str = Field(default="auto", description="auto, cpu or cuda[:n]")
    threads: int = Field(default=2, ge=1, le=64, description="CPU threads of the backbone and the talker")
    ear_threads: int = Field(default=1, ge=1, le=64, description="CPU threads of one transcription; more disturb those that are spoken to")
    ear_workers: int = Field(default=0, ge=0, le=64, description="transcriptions at the same time; 0: one for every 6 slots")
    ear_sessions: int = Field(default=256, ge=1, description="sessions whose utterance is kept in memory")
    lead_ms: int = Field(default=4000, ge=500, description="a response so far ahead of real time pauses, unless `burst`")
    crowded_lead_ms: int = Field(default=1000, ge=200, description="the same while another response waits for its first sound")
    fewest_levels: int = Field(default=4, ge=1, description="residual levels of the sound under pressure; 8: it never gets rougher")
    kept_share: float = Field(
        default=1.0,
        ge=0,
        le=16,
        description="memory for instructions and for conversations without a slot, \
as a share of the slots' own; taken as it is used",
    )
    drain_s: float = Field(default=20.0, ge=0, description="after SIGTERM, how long running responses may take to end")
    model_folder: Path | None = Field(default=None, description="trained components; default: those that ship (or A2_MODEL)")
    flame_mapping: Path | None = Field(default=None, description="npz for rig flame58; without it that rig is not offered")
    otlp_endpoint: str = Field(default="", description="OTLP/HTTP base URL for traces; empty: none are sent")
    log_level: LogLevel = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR")

    @property
    def ears(self) -> int:
        """Transcriptions at the same time."""
        return self.ear_workers or math.ceil(self.slots / SLOTS_PER_EAR)

    @property
    def pace(self) -> Pace:
        """The three settings of it."""
        return Pace(self.lead_ms / 1000, self.crowded_lead_ms / 1000, self.fewest_levels)
