"""The language model of a persona, as REST takes it and Redis keeps it. The key is named, never held."""

from typing import Annotated, TypeAlias

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

URL = r"^https?://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$"  # what the schema promises to take
SECRET_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$"
OURS = frozenset({"model", "messages", "stream", "stream_options", "tools", "tool_choice", "n"})  # what we decide
Parameter: TypeAlias = bool | int | float | Annotated[str, Field(max_length=256)]
Sentence: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]


def _url(value: str) -> str:
    try:
        url = httpx.URL(value)
    except httpx.InvalidURL as error:
        raise ValueError(f"not a URL: {error}") from None
    if url.scheme not in ("https", "http") or not url.host:
        raise ValueError("the URL has to begin with https:// (or http://, where the deployment allows the network) and name a host")
    if url.userinfo or url.query or url.fragment:
        raise ValueError("the URL may have no user, query or fragment: a key goes by key_secret")
    return value


def _parameters(values: dict[str, Parameter]) -> dict[str, Parameter]:
    if taken := sorted(OURS & values.keys()):
        raise ValueError(f"{', '.join(taken)}: decided by the service")
    return values


class LanguageModelBody(BaseModel):
    """An OpenAI-compatible chat endpoint that finds the words of a persona. `parameters` go into every request as they are.

    `filler`: sentences, one of which is said where no word has come after `filler_after_ms`; none by default. `fallback`: where the
    endpoint fails before a word, our own model answers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    url: Annotated[str, Field(max_length=512), AfterValidator(_url)] = Field(
        description="up to /v1: /chat/completions is added", examples=["https://api.example.com/v1"], json_schema_extra={"pattern": URL}
    )
    model: str = Field(min_length=1, max_length=128, examples=["gpt-4.1-mini"])
    key_secret: str | None = Field(
        default=None, pattern=SECRET_NAME, description="name of a secret that the deployment has", examples=["chat"]
    )
    parameters: Annotated[dict[str, Parameter], Field(max_length=16), AfterValidator(_parameters)] = {}
    filler: list[Sentence] = Field(default=[], max_length=16, examples=[["Let me see."]])
    filler_after_ms: int = Field(default=1500, ge=100, le=20_000)
    fallback: bool = False
