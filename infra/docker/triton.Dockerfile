# syntax=docker/dockerfile:1.14
# Triton with a2llm's engine as its model. One per GPU, or per share of the CPU.
#
#   docker build -f infra/docker/triton.Dockerfile -t a2llm/triton:0.1.0 .                              # CPU
#   docker build ... -t a2llm/triton:0.1.0-cuda --build-arg VARIANT=cuda .    # GPU: CUDA 13, driver 580 or newer
#   docker build ... --build-arg VARIANT=cu126 .                             # for older drivers (README.md, "CPU or CUDA")
#
# BASE by digest, so that a tag that moves changes nothing (README.md, "Pins"):
#   --build-arg BASE=python:3.11.13-slim-bookworm@$(docker buildx imagetools inspect python:3.11.13-slim-bookworm --format '{{.Manifest.Digest}}')
ARG BASE=python:3.11.13-slim-bookworm

FROM ${BASE} AS build
ARG VARIANT=cpu
ARG TORCH_SHA256=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PATH=/opt/venv/bin:$PATH
COPY requirements/triton.txt models/weights/packages.txt infra/docker/torch_variant.py /src/
# Our code is found by a .pth: the Python that Triton embeds ignores PYTHONPATH.
# The lock's own torch brings CUDA's libraries along, so no CUDA base image is needed; another build of it comes from PyTorch's index.
RUN python -m venv /opt/venv && python /src/torch_variant.py "$VARIANT" /src/triton.txt "$TORCH_SHA256" \
 && pip install --no-deps --only-binary=:all: --require-hashes --requirement /src/locked.txt \
 && case "$VARIANT" in \
      cuda) ;; \
      cpu) pip install --no-deps --only-binary=:all: --requirement /src/torch.txt ;; \
      *) pip install --only-binary=:all: --requirement /src/torch.txt ;; \
    esac \
 && pip install --no-deps --only-binary=:all: --require-hashes --requirement /src/packages.txt \
 && echo /opt/a2llm > "$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/a2llm.pth"

# Weights are made here, once: what is inside is verified by hash, and a pod starts without converting or fetching anything (README.md, "Weights").
FROM build AS weights
ENV A2_HOME=/opt/a2llm/cache
COPY models/a2llm /opt/a2llm/a2llm
COPY models/weights/default /opt/a2llm/weights/default
COPY models/avatars /opt/a2llm/avatars
RUN python -m a2llm.cli weights verify && python -m a2llm.cli weights convert

# The server itself, out of its wheel (BSD-3-Clause, held to a hash): the one that the tests run. It is a CUDA build that also runs without a GPU.
FROM build AS server
COPY services/a2serve/__init__.py /opt/a2llm/a2serve/__init__.py
COPY services/a2serve/local /opt/a2llm/a2serve/local
RUN python -c "from pathlib import Path; from a2serve.local.triton_install import install_triton; install_triton(print, Path('/opt/triton'))"

# What is inside, as CycloneDX: made by a tool that does not get into the image.
FROM build AS sbom
COPY requirements/sbom.txt /src/
RUN python -m venv /opt/sbom && /opt/sbom/bin/pip install --no-deps --only-binary=:all: --require-hashes --requirement /src/sbom.txt \
 && /opt/sbom/bin/cyclonedx-py environment --output-file /sbom.cdx.json /opt/venv/bin/python

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG VARIANT=cpu
LABEL org.opencontainers.image.title="a2llm-triton" \
      org.opencontainers.image.description="A2-LLM Serve: Triton Inference Server with the a2llm engine" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      a2llm.sbom="/usr/share/a2llm/sbom.cdx.json" \
      a2llm.variant="${VARIANT}"
RUN useradd --uid 10001 --no-create-home --home-dir /tmp a2
COPY --from=build /opt/venv /opt/venv
COPY --chmod=u=rwX,go=rX --from=weights /opt/a2llm/cache /opt/a2llm/cache
COPY --from=server /opt/triton /opt/triton
COPY --chmod=u=rwX,go=rX --from=sbom /sbom.cdx.json /usr/share/a2llm/sbom.cdx.json
COPY --chmod=u=rwX,go=rX models/a2llm /opt/a2llm/a2llm
COPY --chmod=u=rwX,go=rX models/weights/default /opt/a2llm/weights/default
COPY --chmod=u=rwX,go=rX services/triton /opt/a2llm/models/triton
COPY --chmod=u=rwX,go=rX services/a2serve/__init__.py /opt/a2llm/a2serve/__init__.py
COPY --chmod=u=rwX,go=rX services/a2serve/contracts /opt/a2llm/a2serve/contracts
COPY --chmod=u=rwX,go=rX services/a2serve/telemetry /opt/a2llm/a2serve/telemetry
COPY --chmod=u=rwX,go=rX services/a2serve/inference /opt/a2llm/a2serve/inference
RUN python -m compileall -q /opt/a2llm && ln -s /opt/triton/*/pytriton/tritonserver /opt/tritonserver
ENV PATH=/opt/venv/bin:$PATH:/usr/local/nvidia/bin PYTHONUNBUFFERED=1 HOME=/tmp \
    A2_HOME=/opt/a2llm/cache LD_LIBRARY_PATH=/usr/local/lib:/usr/local/nvidia/lib64 \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
WORKDIR /opt/a2llm
USER 10001:10001
# HTTP (health, load and unload), gRPC, Prometheus
EXPOSE 8000 8001 8002
HEALTHCHECK --interval=10s --timeout=5s --start-period=300s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/v2/models/a2llm/ready', timeout=4)"]
ENTRYPOINT ["/opt/tritonserver/bin/tritonserver", "--backend-directory=/opt/tritonserver/backends"]
# The options of a2serve.local.triton, whose reasons are in docs/triton.md. For a GPU: --allow-gpu-metrics=true and --model-config-name=gpu.
CMD ["--model-repository=/opt/a2llm/models/triton", "--disable-auto-complete-config", "--model-control-mode=explicit", "--load-model=a2llm", \
    "--exit-timeout-secs=5", "--backend-config=python,stub-timeout-seconds=600", \
    "--backend-config=python,shm-region-prefix-name=a2_", "--allow-gpu-metrics=false"]
