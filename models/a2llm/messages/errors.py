"""Errors that a model raises instead of a response. `code` travels in the trailing metadata of a call: one gRPC status has several."""


class ModelError(Exception):
    """The model says why it does not respond."""

    code = "internal_error"


class Refused(ModelError):
    """No slot is free. retry_after_ms: when it is worth asking again."""

    code = "no_capacity"

    def __init__(self, message: str, retry_after_ms: int) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms


class EngineDown(ModelError):
    """The engine is not running: it failed, or the replica drains. The message says which."""

    code = "inference_unavailable"


class UtteranceUnknown(ModelError):
    """The replica has not heard the utterance up to the offset: send it again from 0."""

    code = "utterance_unknown"


class ResponseUnknown(ModelError):
    """The replica speaks no such response with given words, or lacks words before the offset."""

    code = "response_unknown"


class WordsMissing(ModelError):
    """No given word came for so long that the response has ended."""

    code = "words_missing"


class RigUnavailable(ModelError):
    """The rig exists, but this replica has no mapping for it."""

    code = "rig_unavailable"
