"""Starts tracing and log lines of one process. Names are in names.py; metrics live in each service's own registry."""

from pathlib import Path

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from a2serve.telemetry.logs import start_logging

__all__ = ["start_logging", "start_tracing"]


def start_tracing(service: str, otlp_endpoint: str = "", ca_file: Path | None = None) -> TracerProvider:
    """Starts a provider that sends to `otlp_endpoint` (OTLP/HTTP base URL) in the background; empty: spans are made, none is sent.

    `ca_file`: PEM of the authority of the receiver's certificate, where this system does not trust it.

    Call shutdown() at the end, so that the last spans leave.
    """
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}))
    if otlp_endpoint:
        exporter = OTLPSpanExporter(f"{otlp_endpoint.rstrip('/')}/v1/traces", certificate_file=str(ca_file) if ca_file else None, timeout=2)
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=500))
    return provider
