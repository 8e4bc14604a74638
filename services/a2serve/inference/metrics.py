"""The numbers that the inference service shows to Prometheus. Names and buckets come from telemetry.names."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from a2llm.messages import Done
from a2serve.telemetry import names

_OF_DEVICE = [names.LABEL_DEVICE, names.LABEL_KIND, names.LABEL_GPU, names.LABEL_DRIVER, names.LABEL_CUDA, names.LABEL_TORCH]


@dataclass
class Metrics:
    """One set per process, in a registry of its own, so that tests can make many."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        reason, latency = [names.LABEL_REASON], names.BUCKETS_LATENCY_SECONDS
        self.slots = Gauge(names.METRIC_INFERENCE_SLOTS, "slots by state", [names.LABEL_STATE], registry=self.registry)
        self.device = Gauge(names.METRIC_INFERENCE_DEVICE, "what the engine runs on", _OF_DEVICE, registry=self.registry)
        self.queue = Gauge(names.METRIC_INFERENCE_QUEUE, "commands the engine has not taken yet", registry=self.registry)
        self.kv_tokens = Gauge(names.METRIC_INFERENCE_KV_TOKENS, "tokens kept in the KV cache", registry=self.registry)
        self.kv_bytes = Gauge(names.METRIC_INFERENCE_KV_BYTES, "memory that they take", registry=self.registry)
        self.step = Histogram(
            names.METRIC_INFERENCE_STEP_SECONDS, "time of one engine step", buckets=names.BUCKETS_STEP_SECONDS, registry=self.registry
        )
        self.batch = Histogram(
            names.METRIC_INFERENCE_BATCH, "responses in one engine step", buckets=names.BUCKETS_BATCH, registry=self.registry
        )
        self.first_audio = Histogram(
            names.METRIC_INFERENCE_FIRST_AUDIO_SECONDS, "request to first sound", buckets=latency, registry=self.registry
        )
        self.listen = Histogram(
            names.METRIC_INFERENCE_LISTEN_SECONDS, "time of one Listen", [names.LABEL_FINAL], buckets=latency, registry=self.registry
        )
        self.ears_waiting = Gauge(names.METRIC_INFERENCE_EARS_WAITING, "Listen calls that wait for a worker", registry=self.registry)
        self.ear_workers = Gauge(names.METRIC_INFERENCE_EAR_WORKERS, "transcriptions at the same time", registry=self.registry)
        self.ear_busy = Counter(names.METRIC_INFERENCE_EAR_BUSY_SECONDS, "time that workers were hearing", registry=self.registry)
        self.refused = Counter(names.METRIC_INFERENCE_REFUSED, "responses refused", reason, registry=self.registry)
        self.responses = Counter(names.METRIC_INFERENCE_RESPONSES, "responses by how they ended", reason, registry=self.registry)
        self.tokens = Counter(names.METRIC_INFERENCE_TOKENS, "tokens", [names.LABEL_KIND], registry=self.registry)
        self.audio = Counter(names.METRIC_INFERENCE_AUDIO_SECONDS, "seconds of speech made", registry=self.registry)

    def show_device(self, facts: Mapping[str, str]) -> None:
        self.device.labels(**facts).set(1)

    def show_slots(self, speaking: int, held: int, size: int) -> None:
        for state, count in (("speaking", speaking), ("resting", held - speaking), ("free", size - held)):
            self.slots.labels(state).set(count)

    def count(self, done: Done, elsewhere: bool = False) -> None:
        """A response that ended by itself. elsewhere: when its first sound came was not decided here, since it was resumed or given its
        words."""
        usage = done.usage
        self.responses.labels(done.reason).inc()
        counts = {"input": usage.input_tokens, "cached": usage.cached_tokens, "output_text": usage.output_text_tokens}
        for kind, number in counts.items():
            self.tokens.labels(kind).inc(number)
        self.audio.inc(usage.output_audio_ms / 1000)
        if usage.output_audio_ms and not elsewhere:
            self.first_audio.observe(done.timings.first_audio_ms / 1000)
