"""Interface of the gateway to inference. Its messages are `a2llm.messages`; the gRPC implementation is `grpc_client`.

Errors of every call: `Problem` (no_capacity with retry_after_ms, inference_unavailable, invalid_value, rig_unavailable,
internal_error, timeout). Calls are bounded by the implementation's timeouts.
"""

from collections.abc import AsyncGenerator
from typing import Protocol

from a2llm.messages import IdleRequest, ListenRequest, ListenResult, ModelInfo, Motion, Packet, ResponseRequest
from a2serve.gateway.model_client.given_stream import GivenStream


class InferenceClient(Protocol):
    """The model as a service; one implementation per way to reach it."""

    async def describe(self) -> ModelInfo:
        """Describes what the replica runs and how full it is."""
        ...

    def respond(self, request: ResponseRequest, words: GivenStream | None = None) -> AsyncGenerator[Packet, None]:
        """One response, packet by packet; closing the generator cancels it. With `words` it says those, as they come, and ends with
        them. A replica that is lost on the way is not noticed, but for the time that it takes until another one goes on."""
        ...

    async def listen(self, audio: ListenRequest) -> ListenResult:
        """Sends new audio; returns what was understood. Raises UtteranceUnknown."""
        ...

    async def idle(self, request: IdleRequest) -> Motion:
        """The face while it does not speak."""
        ...

    async def release(self, session_id: str) -> None:
        """Forget the session; unknown ids are no error."""
        ...
