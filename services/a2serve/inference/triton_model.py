"""The engine inside Triton's Python backend: takes inference requests, hands them to LocalEngine, sends what it answers.

Runs in the process that Triton starts for a model (the stub). services/triton/a2llm/1/model.py only imports it.
One engine per process, all responses batched in it; admission, pace and numbers are those of an engine in its own host.
Tensors pass as DLPack through torch: Triton's own conversion to numpy was built for numpy 1 and reads garbage with numpy 2.
"""

import asyncio
import json
import locale
import logging
import os
import sys
import threading
from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

import torch
from google.protobuf.message import DecodeError
from pydantic import ValidationError

from a2llm.messages import AppendRequest, EngineDown, Refused, ResponseUnknown, WordsMissing
from a2serve.contracts.proto import avatar_pb2 as avatar
from a2serve.contracts.proto import engine_pb2 as pb
from a2serve.contracts.proto.convert import from_wire
from a2serve.inference import wire
from a2serve.inference.engine_client import LocalEngine
from a2serve.inference.engine_host import EngineHost
from a2serve.inference.host import SWITCH_INTERVAL_S
from a2serve.inference.metrics import Metrics
from a2serve.inference.model import load_core, read_facts
from a2serve.inference.settings import InferenceSettings
from a2serve.inference.spans import span
from a2serve.inference.triton_guard import Guard
from a2serve.inference.triton_metrics import MetricsMirror
from a2serve.telemetry import names
from a2serve.telemetry.pauses import spare_what_is_loaded
from a2serve.telemetry.setup import start_logging, start_tracing

OUTPUT = "packet"
_LOOK_FOR_CANCEL_S = 0.03
_SHOW_METRICS_S = 0.5
_LAST_WORDS_S = 0.2  # for the reason of a failure to reach the waiting clients
Result = TypeVar("Result")
log = logging.getLogger(__name__)


def read_settings(arguments: Mapping[str, str]) -> InferenceSettings:
    """Reads settings from what Triton hands to a model. Of several places the first counts: the version's own folder `weights`, the
    environment (A2_INFERENCE_*), `parameters` of config.pbtxt, KIND_CPU or KIND_GPU. Raises ValueError for a bad one.

    KIND_GPU is a promise that nothing breaks: "auto" is then that GPU, and "cpu" an error.
    """
    config = json.loads(arguments["model_config"])
    if sum(group["count"] for group in config["instance_group"]) != 1:
        raise ValueError("a2llm batches all responses in one engine: instance_group must be one instance with count 1")
    on_gpu, number = arguments["model_instance_kind"] == "GPU", arguments["model_instance_device_id"]
    chosen: dict[str, Any] = {"device": f"cuda:{number}" if on_gpu else "cpu"}
    chosen |= {key: entry["string_value"] for key, entry in config.get("parameters", {}).items() if key in InferenceSettings.model_fields}
    chosen = {key: value for key, value in chosen.items() if f"A2_INFERENCE_{key.upper()}" not in os.environ}
    if on_gpu:
        chosen["device"] = _gpu(chosen.get("device", os.environ.get("A2_INFERENCE_DEVICE", "")), number)
    weights = Path(arguments["model_repository"], arguments["model_version"], "weights")
    if weights.is_dir():
        chosen["model_folder"] = weights
    try:
        return InferenceSettings(**chosen)
    except ValidationError as error:
        raise ValueError("; ".join(f"{'_'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())) from None


def _gpu(wanted: str, number: str) -> str:
    if wanted in ("", "auto"):
        return f"cuda:{number}"
    if not wanted.startswith("cuda"):
        raise ValueError(
            f"A2_INFERENCE_DEVICE (or the parameter `device`) is {wanted!r}, but config.pbtxt says KIND_GPU: "
            "unset it, or serve with KIND_CPU"
        )
    return wanted


class TritonModel:
    """Triton calls it from one thread; the engine's event loop has another. `utils` is Triton's module for Python models."""

    def __init__(self, arguments: Mapping[str, str], utils: Any) -> None:
        """Loads and warms up; Triton calls the model READY when this returns. Raises what loading raised."""
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")  # Triton starts Python in such a way that text files would be ASCII
        self._utils, self._settings, self._metrics = utils, read_settings(arguments), Metrics()
        start_logging(names.SERVICE_TRITON, self._settings.log_level)
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._tracing = start_tracing(names.SERVICE_TRITON, self._settings.otlp_endpoint)
        self._tracer = self._tracing.get_tracer("a2serve.inference")
        labels = {"model": arguments["model_name"], "version": arguments["model_version"]}
        self._mirror = MetricsMirror(self._metrics.registry, utils, labels)
        self._loop = asyncio.new_event_loop()
        self._tasks: dict[str, asyncio.Task[None]] = {}  # by the id of the inference request
        threading.Thread(target=self._loop.run_forever, name="event-loop", daemon=True).start()
        self._guard, self._stopped = Guard(), threading.Event()
        try:
            self._wait(self._start())
        except BaseException:
            self._guard.announce_close()  # a version that cannot be loaded is no reason to end the others
            raise
        threading.Thread(target=self._show_metrics, name="metrics", daemon=True).start()

    def execute(self, requests: Sequence[Any]) -> None:
        """Take inference requests; each is answered through its response sender, whenever there is something to say."""
        for request in requests:
            data = bytes(torch.from_dlpack(self._utils.get_input_tensor_by_name(request, "request")).numpy())
            trace = json.loads(request.parameters() or "{}")
            self._loop.call_soon_threadsafe(self._open, request.request_id(), data, trace, request.get_response_sender())

    def stop(self) -> None:
        """Triton asks for it once every request is answered."""
        self._guard.announce_close()
        self._stopped.set()
        self._wait(self._host.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._tracing.shutdown()

    def _wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _start(self) -> None:
        self._facts = read_facts(self._settings)
        self._host = EngineHost(lambda: load_core(self._settings, self._metrics), self._on_engine_failure)
        self._engine = LocalEngine(self._host, self._settings.slots, self._metrics)
        await self._host.start()
        spare_what_is_loaded()

    def _on_engine_failure(self) -> None:
        """Ends this process and lets the guard end Triton: Triton cannot learn that a model has failed, and would go on saying READY."""
        self._loop.call_later(_LAST_WORDS_S, os._exit, 1)

    def _show_metrics(self) -> None:
        while not self._stopped.wait(_SHOW_METRICS_S):
            self._mirror.show()

    # --- on the event loop -------------------------------------------------------------------------------------------

    def _open(self, name: str, data: bytes, trace: Mapping[str, str], sender: Any) -> None:
        task = self._tasks[name] = self._loop.create_task(self._serve(data, trace, sender))
        task.add_done_callback(lambda _: self._tasks.pop(name, None))

    async def _serve(self, data: bytes, trace: Mapping[str, str], sender: Any) -> None:
        """Answer one request, until it is answered or cancelled."""
        task = asyncio.current_task()
        assert task is not None
        watch = self._loop.create_task(_cancel_with(sender, task))
        try:
            async with aclosing(self._responses(data, trace)) as responses:
                async for response in responses:
                    self._send(sender, response)
        finally:
            watch.cancel()
            sender.send(flags=self._utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    async def _responses(self, data: bytes, trace: Mapping[str, str]) -> AsyncGenerator[pb.EngineResponse, None]:
        """Yields the engine's answers, or the reason why there are none."""
        try:
            async with aclosing(self._handle(pb.EngineRequest.FromString(data), trace)) as responses:
                async for response in responses:
                    yield response
        except Refused as error:
            yield pb.EngineResponse(refused=pb.Refusal(message=str(error), retry_after_ms=error.retry_after_ms))
        except EngineDown as error:
            yield pb.EngineResponse(down=str(error))
        except ResponseUnknown as error:
            yield pb.EngineResponse(response_unknown=str(error))
        except WordsMissing as error:
            yield pb.EngineResponse(words_missing=str(error))
        except (ValueError, DecodeError) as error:
            yield pb.EngineResponse(invalid=str(error))

    async def _handle(self, request: pb.EngineRequest, trace: Mapping[str, str]) -> AsyncGenerator[pb.EngineResponse, None]:
        match request.WhichOneof("what"):
            case "respond":
                async with aclosing(self._respond(request.respond, trace)) as responses:
                    async for response in responses:
                        yield response
            case "turn_end":
                yield pb.EngineResponse(turn_end_probability=await self._engine.turn_end(request.turn_end.words))
            case "append":
                received = await self._engine.append(from_wire(AppendRequest, request.append))
                yield pb.EngineResponse(appended=avatar.AppendResponse(received=received))
            case "cancel":
                if task := self._tasks.get(request.cancel.id):
                    task.cancel()
            case "release":
                known = await self._engine.release(request.release.session_id)
                yield pb.EngineResponse(released=avatar.ReleaseResponse(known=known))
            case "state":
                engine = self._engine
                yield pb.EngineResponse(state=pb.EngineState(revision=self._facts.revision, slots=engine.slots, speaking=engine.speaking))
            case _:
                raise ValueError("nothing was asked")

    async def _respond(self, request: avatar.RespondRequest, trace: Mapping[str, str]) -> AsyncGenerator[pb.EngineResponse, None]:
        attributes: dict[str, str | bool] = {names.ATTR_SESSION_ID: request.session_id, names.ATTR_RESPONSE_ID: request.response_id}
        with span(self._tracer, names.SPAN_INFERENCE_ENGINE, trace.items(), attributes):
            request.motion_hz = self._facts.clock.motion_hz  # a replica asks for the model's own, whatever that is
            packets = wire.PacketStream(request, self._facts)
            async with aclosing(self._engine.respond(wire.read_request(request, self._facts))) as outputs:
                async for output in outputs:
                    yield pb.EngineResponse(packet=packets.packet(output))

    def _send(self, sender: Any, response: pb.EngineResponse) -> None:
        """Takes some 0.3 ms, in which other threads run."""
        data = torch.frombuffer(bytearray(response.SerializeToString()), dtype=torch.uint8)
        sender.send(self._utils.InferenceResponse([self._utils.Tensor.from_dlpack(OUTPUT, data)]))


async def _cancel_with(sender: Any, task: "asyncio.Task[None]") -> None:
    """Cancels `task` when its client is dead: Triton knows, but has to be asked. (A client that leaves says so with CancelRequest.)"""
    await asyncio.sleep(_LOOK_FOR_CANCEL_S)
    while not sender.is_cancelled():
        await asyncio.sleep(_LOOK_FOR_CANCEL_S)
    task.cancel()
