"""Fields that are bytes inside a process and base64 in JSON: they are decoded where an event is read and encoded where it is written."""

from base64 import b64decode, b64encode
from typing import Annotated, Any, TypeAlias, cast

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError, PydanticKnownError

Rows: TypeAlias = list[list[float]]
_ROWS_SCHEMA = {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}


def _decoded(value: Any) -> Any:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise PydanticKnownError("string_type")
    try:
        return b64decode(value, validate=True)
    except ValueError:
        raise PydanticCustomError("invalid_base64", "not base64") from None


def _decoded_or_rows(value: Any) -> Any:
    return cast("Rows", value) if isinstance(value, list) else _decoded(value)


def _encoded(value: bytes) -> str:
    return b64encode(value).decode()


def _encoded_or_rows(value: bytes | Rows) -> str | Rows:
    return _encoded(value) if isinstance(value, bytes) else value


Base64Bytes: TypeAlias = Annotated[
    bytes,
    BeforeValidator(_decoded),
    PlainSerializer(_encoded, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string"}),
]
# Motion: bytes of float16, or rows of numbers for clients that want plain JSON.
Base64BytesOrRows: TypeAlias = Annotated[
    bytes | Rows,
    BeforeValidator(_decoded_or_rows),
    PlainSerializer(_encoded_or_rows, return_type=str | Rows, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "string"}, _ROWS_SCHEMA]}),
]
