# syntax=docker/dockerfile:1.14
# The recorder; also the jobs beside it: a2serve.recorder.migrate (tables) and a2serve.recorder.topics.
#
#   docker build -f infra/docker/recorder.Dockerfile -t a2llm/recorder:0.1.0 .
#
# BASE by digest, so that a tag that moves changes nothing (README.md, "Pins"):
#   --build-arg BASE=python:3.11.13-slim-bookworm@$(docker buildx imagetools inspect python:3.11.13-slim-bookworm --format '{{.Manifest.Digest}}')
ARG BASE=python:3.11.13-slim-bookworm

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PATH=/opt/venv/bin:$PATH
COPY requirements/recorder.txt /src/
RUN python -m venv /opt/venv && pip install --no-deps --only-binary=:all: --require-hashes --requirement /src/recorder.txt

# What is inside, as CycloneDX: made by a tool that does not get into the image.
FROM build AS sbom
COPY requirements/sbom.txt /src/
RUN python -m venv /opt/sbom && /opt/sbom/bin/pip install --no-deps --only-binary=:all: --require-hashes --requirement /src/sbom.txt \
 && /opt/sbom/bin/cyclonedx-py environment --output-file /sbom.cdx.json /opt/venv/bin/python

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="a2llm-recorder" \
      org.opencontainers.image.description="A2-LLM Serve: usage, transcripts and audit from Kafka into SQL" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      a2llm.sbom="/usr/share/a2llm/sbom.cdx.json"
RUN useradd --uid 10001 --no-create-home --home-dir /tmp a2
COPY --from=build /opt/venv /opt/venv
COPY --chmod=u=rwX,go=rX --from=sbom /sbom.cdx.json /usr/share/a2llm/sbom.cdx.json
COPY --chmod=u=rwX,go=rX infra/kafka/topics.yaml /etc/a2llm/topics.yaml
COPY --chmod=u=rwX,go=rX services/a2serve/__init__.py /opt/a2llm/a2serve/__init__.py
COPY --chmod=u=rwX,go=rX services/a2serve/contracts /opt/a2llm/a2serve/contracts
COPY --chmod=u=rwX,go=rX services/a2serve/telemetry /opt/a2llm/a2serve/telemetry
COPY --chmod=u=rwX,go=rX services/a2serve/recorder /opt/a2llm/a2serve/recorder
RUN python -m compileall -q /opt/a2llm
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/opt/a2llm PYTHONUNBUFFERED=1 HOME=/tmp \
    A2_RECORDER_HOST=0.0.0.0
WORKDIR /opt/a2llm
USER 10001:10001
EXPOSE 9465
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9465/metrics', timeout=4)"]
CMD ["python", "-m", "a2serve.recorder"]
