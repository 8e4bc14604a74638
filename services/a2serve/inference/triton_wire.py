"""The messages of engine.proto: what TritonEngine says, and what it hears.

The other side reads with `wire`, as a gateway's request is read. Packets carry the model's own motion, as float16, and PCM of
16 bit: what a client gets is the same to the bit as from an engine in the process, but for motion at other rates or rigs,
which is interpolated from float16.
"""
# tritonclient has no types:
# pyright: reportMissingTypeStubs=false

from dataclasses import replace
from typing import Any, cast

import numpy as np
from tritonclient.grpc import InferInput, InferResult

from a2llm.clock import FrameClock
from a2llm.messages import EngineDown, Refused, ResponseRequest, ResponseUnknown, WordsMissing
from a2serve.contracts.proto import engine_pb2 as engine
from a2serve.contracts.proto.convert import to_wire

INPUT, OUTPUT = "request", "packet"  # of the model, as its config.pbtxt has them


def respond_request(request: ResponseRequest) -> engine.EngineRequest:
    """Asks for the model's own motion. `wire.read_request` gives the same request again, but for that."""
    return engine.EngineRequest(respond=to_wire(replace(request, rig="", motion_hz=FrameClock().motion_hz)))


def infer_request(request: engine.EngineRequest, name: str, model: str, version: str, trace: dict[str, str]) -> dict[str, Any]:
    """Builds one request of Triton's client. name: the request's id. version "": the newest that is loaded. trace: W3C context."""
    data = np.frombuffer(request.SerializeToString(), np.uint8)
    tensor = cast("Any", InferInput)(INPUT, data.shape, "UINT8").set_data_from_numpy(data)
    return {"model_name": model, "model_version": version, "request_id": name, "inputs": [tensor], "parameters": trace}


def is_last(response: engine.EngineResponse) -> bool:
    """True if nothing follows this answer."""
    return not response.HasField("packet") or response.packet.HasField("done")


def read_response(result: InferResult) -> engine.EngineResponse:
    """Raises what came instead of an answer: Refused, EngineDown, ResponseUnknown, WordsMissing or ValueError."""
    response = engine.EngineResponse.FromString(cast("Any", result).as_numpy(OUTPUT).tobytes())
    match response.WhichOneof("what"):
        case "refused":
            raise Refused(response.refused.message, response.refused.retry_after_ms)
        case "down":
            raise EngineDown(response.down)
        case "response_unknown":
            raise ResponseUnknown(response.response_unknown)
        case "words_missing":
            raise WordsMissing(response.words_missing)
        case "invalid":
            raise ValueError(response.invalid)
        case _:
            return response
