"""/v1/sessions: a conversation that lives on the server, spoken with by REST turns or over the socket."""

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from a2serve.contracts.items import ConversationItem
from a2serve.contracts.problems import RETRY_AFTER_MS, Code, Problem
from a2serve.contracts.records import SessionRecord
from a2serve.contracts.session_config import SessionConfig
from a2serve.gateway import request_context
from a2serve.gateway.access.auth import Principal
from a2serve.gateway.conversation.conversation import item_from_json
from a2serve.gateway.parts import GatewayParts
from a2serve.gateway.realtime.response.settings import check_choices, check_tools, chooses
from a2serve.gateway.rest.dependencies import ApiCaller, IdempotencyKey, Parts, audit, once, problems
from a2serve.gateway.rest.guarded import GuardedRoute
from a2serve.gateway.state.store import SessionHead

MOST_LISTED = 100
router = APIRouter(prefix="/sessions", tags=["sessions"], route_class=GuardedRoute)
SessionId = Annotated[str, Path(pattern=r"^sess_[0-9a-zA-Z]{8,40}$", examples=["sess_0123456789abcdef0123"])]
EndUserId = Annotated[str, Field(max_length=128, description="your own id of the person who talks; usage can be summed by it")]
Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16, description="yours; given back")
]


class SessionCreate(BaseModel):
    """A new session. Everything has a default."""

    model_config = ConfigDict(extra="forbid", strict=True)

    session: SessionConfig = Field(default=SessionConfig(), description="as in `session.update` of the socket")
    end_user_id: EndUserId = ""
    metadata: Metadata = {}


class SessionEntry(BaseModel):
    """A session without its settings. `expires_at`: when it is forgotten unless it is used."""

    id: str
    object: str = "a2.session"
    created_at: int
    expires_at: int
    end_user_id: str
    metadata: dict[str, str]


class SessionBody(SessionEntry):
    """A session as REST shows it."""

    session: dict[str, Any] = Field(description="all settings as they are now, as in `session.created` of the socket")


class SessionList(BaseModel):
    """Sessions in order of their ids. `has_more`: ask again with `after`: `last_id`."""

    object: str = "list"
    data: list[SessionEntry]
    has_more: bool
    last_id: str | None


class ItemList(BaseModel):
    """Part of a conversation, oldest first."""

    object: str = "list"
    data: list[ConversationItem]
    has_more: bool
    last_id: str | None


@router.post(
    "",
    status_code=201,
    summary="Create a session",
    response_model=SessionBody,
    responses=problems(
        Code.INVALID_JSON, Code.CONFLICT, Code.BODY_TOO_LARGE, Code.UNSUPPORTED_MEDIA, Code.PERSONA_UNKNOWN, Code.STORAGE_FULL
    ),
)
async def create_session(request: Request, body: SessionCreate, parts: Parts, caller: ApiCaller, key: IdempotencyKey = None) -> Response:
    """A conversation with settings of its own. Talk in it with `POST /v1/sessions/{id}/turns`."""
    return await once(parts, caller, request, key, lambda: _create(parts, caller, body))


@router.get("", summary="List sessions", responses=problems())
async def list_sessions(
    parts: Parts,
    caller: ApiCaller,
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = MOST_LISTED,
    after: Annotated[str | None, Query(max_length=64, description="`last_id` of the answer before")] = None,
    end_user_id: Annotated[str | None, Query(max_length=128, description="of this end user only")] = None,
) -> SessionList:
    """Those of your tenant that are kept now, whether made by REST or by a socket.

    With `end_user_id` an answer may hold fewer than `limit`, or none, though there are more: go on while `has_more` says so.
    """
    page = await parts.sessions.page(caller.tenant, after or "", limit, end_user_id)
    return SessionList(data=[_entry(head) for head in page.heads], has_more=page.has_more, last_id=page.last_id)


@router.get("/{session_id}", summary="Read a session", responses=problems(Code.NOT_FOUND))
async def read_session(session_id: SessionId, parts: Parts, caller: ApiCaller) -> SessionBody:
    """Its settings as they are now."""
    return _body(await existing(parts, caller, session_id))


@router.delete("/{session_id}", status_code=204, summary="Delete a session", responses=problems(Code.NOT_FOUND))
async def delete_session(session_id: SessionId, parts: Parts, caller: ApiCaller) -> None:
    """Forgets settings and conversation; a response in progress ends, and a socket that is open for it is closed (`deleted`).

    What was said is erased wherever it was kept: answers that an Idempotency-Key would repeat, and the transcript of tenants that
    keep one, also of a session that lapsed before. Figures for billing stay; they hold no words.
    """
    if await parts.sessions.head(caller.tenant, session_id) is None and await _erase(parts, caller, session_id):
        await parts.outbox.write(audit(caller, "session.delete", session_id))
        return
    head = await existing(parts, caller, session_id)
    ended = SessionRecord(
        tenant=caller.tenant,
        session_id=session_id,
        event="deleted",
        key_id=caller.key_id,
        end_user_id=head.end_user_id,
        request_id=request_context.current().request_id,
    )
    if not await parts.sessions.delete(caller.tenant, session_id, ended, audit(caller, "session.delete", session_id)):
        raise Problem(Code.NOT_FOUND, f"no session {session_id!r}")  # deleted meanwhile
    await parts.idempotency.forget(caller.tenant, session_id)
    await _erase(parts, caller, session_id)
    try:
        await parts.inference.release(session_id)
    except Problem as problem:
        if problem.code is not Code.UNAVAILABLE:  # it forgets by itself
            raise


@router.get("/{session_id}/items", summary="Read the conversation", responses=problems(Code.NOT_FOUND, Code.ITEM_NOT_FOUND))
async def list_items(
    session_id: SessionId,
    parts: Parts,
    caller: ApiCaller,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str | None, Query(max_length=64, description="id of the last item you have")] = None,
) -> ItemList:
    """Messages, function calls and their outputs, oldest first, as the socket would give them."""
    await existing(parts, caller, session_id)
    items = [item_from_json(raw) for raw in await parts.sessions.items(caller.tenant, session_id)]
    if after is not None:
        place = next((index for index, item in enumerate(items) if item.id == after), None)
        if place is None:
            raise Problem(Code.ITEM_NOT_FOUND, f"no item {after!r} in this conversation", param="after")
        items = items[place + 1 :]
    page = items[:limit]
    return ItemList(data=[item.wire() for item in page], has_more=len(items) > limit, last_id=page[-1].id if page else None)


async def existing(parts: GatewayParts, caller: Principal, session_id: str) -> SessionHead:
    """The caller's session. Raises Problem(not_found), for one out of reach as for one that never was."""
    context = request_context.current()
    context.session_id = session_id
    head = await parts.sessions.head(caller.tenant, session_id)
    if head is None or not caller.may_open(head.owner):
        raise Problem(Code.NOT_FOUND, f"no session {session_id!r}")
    context.end_user_id = head.end_user_id
    return head


async def _erase(parts: GatewayParts, caller: Principal, session_id: str) -> bool:
    try:
        return await parts.transcripts.erase(caller.tenant, session_id)
    except SQLAlchemyError:
        detail = "the session's transcript cannot be erased now: repeat the request"
        raise Problem(Code.STATE_UNAVAILABLE, detail, retry_after_ms=RETRY_AFTER_MS) from None


async def _create(parts: GatewayParts, caller: Principal, body: SessionCreate) -> Response:
    check_tools(body.session.tools, body.session.tool_choice)
    if chooses(body.session):
        check_choices(body.session, await parts.inference.describe())
    head = SessionHead(
        session_id=f"sess_{secrets.token_hex(10)}",
        config=body.session.model_dump(mode="json"),
        key_id=caller.key_id,
        end_user_id=body.end_user_id,
        metadata=body.metadata,
    )
    request_context.current().session_id = head.session_id
    began = SessionRecord(
        tenant=caller.tenant,
        session_id=head.session_id,
        event="created",
        key_id=caller.key_id,
        end_user_id=body.end_user_id,
        request_id=request_context.current().request_id,
    )
    kept = await parts.sessions.create(caller.tenant, head, began, audit(caller, "session.create", head.session_id))
    return JSONResponse(_body(kept).model_dump(mode="json"), 201, {"location": f"/v1/sessions/{head.session_id}"})


def _body(head: SessionHead) -> SessionBody:
    return SessionBody(**_entry(head).model_dump(), session=head.config)


def _entry(head: SessionHead) -> SessionEntry:
    return SessionEntry(
        id=head.session_id, created_at=head.created_at, expires_at=head.expires_at, end_user_id=head.end_user_id, metadata=head.metadata
    )
