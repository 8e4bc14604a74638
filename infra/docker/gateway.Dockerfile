# syntax=docker/dockerfile:1.14
# The gateway: REST, the realtime socket, the page. No torch, no weights of the model.
#
#   docker build -f infra/docker/gateway.Dockerfile -t a2llm/gateway:0.1.0 .
#
# BASE by digest, so that a tag that moves changes nothing (README.md, "Pins"):
#   --build-arg BASE=python:3.11.13-slim-bookworm@$(docker buildx imagetools inspect python:3.11.13-slim-bookworm --format '{{.Manifest.Digest}}')
ARG BASE=python:3.11.13-slim-bookworm

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PATH=/opt/venv/bin:$PATH
COPY requirements/gateway.txt models/weights/packages.txt /src/
# Of the packages with weights only voice activity (2 MB of ONNX), held to its hash.
RUN python -m venv /opt/venv \
 && pip install --no-deps --only-binary=:all: --require-hashes --requirement /src/gateway.txt \
 && sed -n '/^silero-vad/,/sha256/p' /src/packages.txt > /src/vad.txt \
 && pip install --no-deps --only-binary=:all: --require-hashes --requirement /src/vad.txt

# The page, with the Node.js that the tests use too (it comes from PyPI).
FROM ${BASE} AS page
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PATH=/opt/venv/bin:$PATH
COPY requirements/page.txt /src/
RUN python -m venv /opt/venv && pip install --no-deps --only-binary=:all: --require-hashes --requirement /src/page.txt
WORKDIR /src/services/web
COPY services/web/package.json services/web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY services/web ./
COPY models/avatars /src/models/avatars
RUN npm run build

# What is inside, as CycloneDX: made by a tool that does not get into the image.
FROM build AS sbom
COPY requirements/sbom.txt /src/
RUN python -m venv /opt/sbom && /opt/sbom/bin/pip install --no-deps --only-binary=:all: --require-hashes --requirement /src/sbom.txt \
 && /opt/sbom/bin/cyclonedx-py environment --output-file /sbom.cdx.json /opt/venv/bin/python

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="a2llm-gateway" \
      org.opencontainers.image.description="A2-LLM Serve: REST, realtime socket and page" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      a2llm.sbom="/usr/share/a2llm/sbom.cdx.json"
# /etc/a2llm holds the tenants file: a volume that `a2 keys` writes, or a mounted Secret.
RUN useradd --uid 10001 --no-create-home --home-dir /tmp a2 && install --directory --owner a2 /etc/a2llm
COPY --from=build /opt/venv /opt/venv
COPY --chmod=u=rwX,go=rX --from=page /src/services/web/dist /opt/a2llm/web
COPY --chmod=u=rwX,go=rX --from=sbom /sbom.cdx.json /usr/share/a2llm/sbom.cdx.json
COPY --chmod=u=rwX,go=rX models/avatars /opt/a2llm/avatars
# Of the model only what needs no torch.
COPY --chmod=u=rwX,go=rX models/a2llm/__init__.py models/a2llm/cache.py models/a2llm/clock.py models/a2llm/pcm16.py models/a2llm/resampling.py \
    models/a2llm/vad_network.py models/a2llm/weights.py /opt/a2llm/a2llm/
COPY --chmod=u=rwX,go=rX models/a2llm/layers/__init__.py models/a2llm/layers/onnx_graph.py /opt/a2llm/a2llm/layers/
COPY --chmod=u=rwX,go=rX models/a2llm/messages /opt/a2llm/a2llm/messages
COPY --chmod=u=rwX,go=rX services/a2serve/__init__.py /opt/a2llm/a2serve/__init__.py
COPY --chmod=u=rwX,go=rX services/a2serve/contracts /opt/a2llm/a2serve/contracts
COPY --chmod=u=rwX,go=rX services/a2serve/telemetry /opt/a2llm/a2serve/telemetry
COPY --chmod=u=rwX,go=rX services/a2serve/gateway /opt/a2llm/a2serve/gateway
RUN python -m compileall -q /opt/a2llm
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/opt/a2llm PYTHONUNBUFFERED=1 HOME=/tmp \
    A2_GATEWAY_HOST=0.0.0.0 A2_GATEWAY_WEB_FOLDER=/opt/a2llm/web A2_GATEWAY_AVATARS_FOLDER=/opt/a2llm/avatars A2_TENANTS_FILE=/etc/a2llm/tenants.toml
WORKDIR /opt/a2llm
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
CMD ["python", "-m", "a2serve.gateway"]
