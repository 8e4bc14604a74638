from a2serve.contracts.proto import avatar_pb2 as _avatar_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EngineRequest(_message.Message):
    __slots__ = ("respond", "turn_end", "release", "state", "cancel", "append")
    RESPOND_FIELD_NUMBER: _ClassVar[int]
    TURN_END_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    APPEND_FIELD_NUMBER: _ClassVar[int]
    respond: _avatar_pb2.RespondRequest
    turn_end: TurnEndRequest
    release: _avatar_pb2.ReleaseRequest
    state: StateRequest
    cancel: CancelRequest
    append: _avatar_pb2.AppendRequest
    def __init__(self, respond: _Optional[_Union[_avatar_pb2.RespondRequest, _Mapping]] = ..., turn_end: _Optional[_Union[TurnEndRequest, _Mapping]] = ..., release: _Optional[_Union[_avatar_pb2.ReleaseRequest, _Mapping]] = ..., state: _Optional[_Union[StateRequest, _Mapping]] = ..., cancel: _Optional[_Union[CancelRequest, _Mapping]] = ..., append: _Optional[_Union[_avatar_pb2.AppendRequest, _Mapping]] = ...) -> None: ...

class CancelRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class EngineResponse(_message.Message):
    __slots__ = ("packet", "turn_end_probability", "released", "state", "refused", "invalid", "down", "appended", "response_unknown", "words_missing")
    PACKET_FIELD_NUMBER: _ClassVar[int]
    TURN_END_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    INVALID_FIELD_NUMBER: _ClassVar[int]
    DOWN_FIELD_NUMBER: _ClassVar[int]
    APPENDED_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    WORDS_MISSING_FIELD_NUMBER: _ClassVar[int]
    packet: _avatar_pb2.Packet
    turn_end_probability: float
    released: _avatar_pb2.ReleaseResponse
    state: EngineState
    refused: Refusal
    invalid: str
    down: str
    appended: _avatar_pb2.AppendResponse
    response_unknown: str
    words_missing: str
    def __init__(self, packet: _Optional[_Union[_avatar_pb2.Packet, _Mapping]] = ..., turn_end_probability: _Optional[float] = ..., released: _Optional[_Union[_avatar_pb2.ReleaseResponse, _Mapping]] = ..., state: _Optional[_Union[EngineState, _Mapping]] = ..., refused: _Optional[_Union[Refusal, _Mapping]] = ..., invalid: _Optional[str] = ..., down: _Optional[str] = ..., appended: _Optional[_Union[_avatar_pb2.AppendResponse, _Mapping]] = ..., response_unknown: _Optional[str] = ..., words_missing: _Optional[str] = ...) -> None: ...

class TurnEndRequest(_message.Message):
    __slots__ = ("words",)
    WORDS_FIELD_NUMBER: _ClassVar[int]
    words: str
    def __init__(self, words: _Optional[str] = ...) -> None: ...

class StateRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class EngineState(_message.Message):
    __slots__ = ("revision", "slots", "speaking")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    SPEAKING_FIELD_NUMBER: _ClassVar[int]
    revision: str
    slots: int
    speaking: int
    def __init__(self, revision: _Optional[str] = ..., slots: _Optional[int] = ..., speaking: _Optional[int] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("message", "retry_after_ms")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    message: str
    retry_after_ms: int
    def __init__(self, message: _Optional[str] = ..., retry_after_ms: _Optional[int] = ...) -> None: ...
