"""Lists avatars (heads) and personas to choose from."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.responses import Response

from a2llm.messages import ModelInfo
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.session_config import PERSONA_VOICE
from a2serve.gateway.access.auth import Principal
from a2serve.gateway.parts import GatewayParts
from a2serve.gateway.personas.bodies import PersonaBody, PersonaName, persona_body, voices_of
from a2serve.gateway.rest.dependencies import ApiCaller, Caller, IdempotencyKey, Parts, audit, once, problems
from a2serve.gateway.rest.guarded import GuardedRoute
from a2serve.gateway.state.idempotency import of_persona

router = APIRouter(tags=["catalog"], route_class=GuardedRoute)


class AvatarBody(BaseModel):
    """A head: glTF with morph targets of the rigs."""

    name: str
    object: str = "a2.avatar"
    url: str = Field(description="path of the .glb on this server")
    rigs: list[str] = Field(description="rigs whose motion it can show")


class AvatarList(BaseModel):
    object: str = "list"
    data: list[AvatarBody]


class PersonaOut(PersonaBody):
    """A persona. `own`: made by you, so that you can delete it."""

    object: str = "a2.persona"
    own: bool


class PersonaList(BaseModel):
    """Those that ship, then your own, each by name. `has_more`: ask again with `after`: `last_id`."""

    object: str = "list"
    data: list[PersonaOut]
    has_more: bool
    last_id: str | None


@router.get("/avatars", summary="List avatars", responses=problems(Code.UNAVAILABLE))
async def list_avatars(parts: Parts, caller: Caller) -> AvatarList:
    """Every head this server has. A client secret may ask too."""
    rigs = sorted((await parts.inference.describe()).rigs)
    names = _avatar_names(parts.settings.avatars_folder)
    return AvatarList(data=[AvatarBody(name=name, url=f"/avatars/{name}.glb", rigs=rigs) for name in names])


@router.get("/personas", summary="List personas", responses=problems(Code.UNAVAILABLE))
async def list_personas(
    parts: Parts,
    caller: Caller,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
    after: Annotated[str | None, Query(max_length=64, description="name of the last persona you have")] = None,
) -> PersonaList:
    """Those that ship with the model, and your own. A client secret may ask too."""
    mine = await parts.personas.all(caller.tenant)
    own = {persona.name for persona in mine}
    every = {info.name: persona_body(info) for info in (await parts.inference.describe()).personas}
    shipped = every.keys() - own

    def place(name: str) -> tuple[bool, str]:  # also of one that was deleted meanwhile
        return name not in shipped, name

    found = [name for name in sorted(every, key=place) if after is None or place(name) > place(after)]
    shown = {persona.name: persona.language_model for persona in mine} if caller.kind == "api_key" else {}  # a page need not know
    data = [
        PersonaOut.model_construct(**dict(every[name].model_copy(update={"language_model": shown.get(name)})), own=name in own)
        for name in found[:limit]
    ]
    return PersonaList(data=data, has_more=len(found) > limit, last_id=data[-1].name if data else None)


@router.post(
    "/personas",
    status_code=201,
    summary="Create a persona",
    response_model=PersonaOut,
    responses=problems(Code.INVALID_JSON, Code.CONFLICT, Code.UNSUPPORTED, Code.BODY_TOO_LARGE, Code.UNSUPPORTED_MEDIA, Code.UNAVAILABLE),
)
async def create_persona(request: Request, body: PersonaBody, parts: Parts, caller: ApiCaller, key: IdempotencyKey = None) -> Response:
    """For sessions of yours: `session.a2.persona` names it."""
    return await once(parts, caller, request, key, lambda: _create(parts, caller, body))


@router.delete("/personas/{name}", status_code=204, summary="Delete a persona", responses=problems(Code.NOT_FOUND))
async def delete_persona(name: PersonaName, parts: Parts, caller: ApiCaller) -> None:
    """One of your own; sessions that use it go on without its instructions."""
    await parts.personas.delete(caller.tenant, name, audit(caller, "persona.delete", name))
    await parts.idempotency.forget(caller.tenant, of_persona(name))  # else a repeat of its creation says that it is there


async def _create(parts: GatewayParts, caller: Principal, body: PersonaBody) -> Response:
    info = await parts.inference.describe()
    if any(persona.name == body.name for persona in info.personas):
        raise Problem(Code.CONFLICT, f"a persona {body.name!r} exists already", param="name")
    _check_choices(body, info, _avatar_names(parts.settings.avatars_folder))
    if body.language_model:
        parts.endpoints.egress.check(caller.tenant, body.language_model)
    body = body.model_copy(update={"voice": _voice(body, voices_of(info))})
    await parts.personas.create(caller.tenant, body, audit(caller, "persona.create", body.name))
    made = PersonaOut(**dict(body), own=True)
    return JSONResponse(made.model_dump(mode="json"), 201, {"location": f"/v1/personas/{body.name}"})


def _check_choices(body: PersonaBody, info: ModelInfo, avatars: list[str]) -> None:
    """Raises Problem(unsupported) for an avatar or an affect that is not there."""
    if avatars and body.avatar not in avatars:
        raise Problem(Code.UNSUPPORTED, f"no avatar {body.avatar!r}; there are {', '.join(avatars)}", param="avatar")
    rest = body.affect_baseline
    if rest and info.affects and rest.category not in info.affects:
        detail = f"no affect {rest.category!r}; there are {', '.join(info.affects)}"
        raise Problem(Code.UNSUPPORTED, detail, param="affect_baseline.category")


def _voice(body: PersonaBody, voices: list[str]) -> str:
    """The name of the voice that will speak. Raises Problem(unsupported) for one that is not there."""
    named = body.voice
    if named == PERSONA_VOICE or not voices:
        return voices[0] if voices else named
    if named not in voices:
        raise Problem(Code.UNSUPPORTED, f"no voice {named!r} (available: {', '.join([PERSONA_VOICE, *voices])})", param="voice")
    return named


def _avatar_names(folder: Path | None) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.glb")) if folder else []
