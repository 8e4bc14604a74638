"""An example of every answer, by the name of its schema. Shown in the documentation, and checked against the schemas by a test."""

from typing import Any

from a2serve.contracts.media_clock import RATE_HZ

_AFFECT = {"category": "joy", "intensity": 0.4}
_PERSONA = {
    "name": "concierge",
    "instructions": "You are the concierge of a small hotel. Be brief and kind.",
    "avatar": "woman",
    "voice": "heart",
    "affect_baseline": _AFFECT,
    "object": "a2.persona",
    "own": True,
}
_AVATAR = {"name": "woman", "object": "a2.avatar", "url": "/avatars/woman.glb", "rigs": ["arkit61", "oculus15"]}
_SETTINGS = {"type": "realtime", "model": "a2-llm", "instructions": "Be brief.", "output_modalities": ["audio"], "a2": {"persona": "ada"}}
_MESSAGE = {
    "type": "message",
    "id": "item_5f0c2f0a8e1b4d6c9a37",
    "object": "realtime.item",
    "status": "completed",
    "role": "user",
    "content": [{"type": "input_text", "text": "What should I cook tonight?"}],
}
_COUNTED = {
    "responses": 3,
    "input_tokens": 412,
    "cached_tokens": 290,
    "output_text_tokens": 96,
    "input_audio_ms": 0,
    "output_audio_ms": 21450,
    "output_motion_frames": 643,
    "session_ms": 61000,
}

EXAMPLES: dict[str, dict[str, Any]] = {
    "SessionBody": {
        "id": "sess_0123456789abcdef0123",
        "object": "a2.session",
        "created_at": 1767225600,
        "expires_at": 1767229200,
        "session": _SETTINGS,
        "end_user_id": "user-17",
        "metadata": {"order": "4711"},
    },
    "SessionList": {
        "object": "list",
        "has_more": False,
        "last_id": "sess_0123456789abcdef0123",
        "data": [
            {
                "id": "sess_0123456789abcdef0123",
                "object": "a2.session",
                "created_at": 1767225600,
                "expires_at": 1767229200,
                "end_user_id": "user-17",
                "metadata": {"order": "4711"},
            }
        ],
    },
    "ItemList": {"object": "list", "data": [_MESSAGE], "has_more": False, "last_id": _MESSAGE["id"]},
    "TurnBody": {
        "id": "resp_0a1b2c3d4e5f60718293",
        "object": "a2.turn",
        "session_id": "sess_0123456789abcdef0123",
        "status": "completed",
        "status_details": None,
        "text": "Try a soup of leeks and potatoes.",
        "affect": _AFFECT,
        "user": None,
        "audio": {"format": "wav", "sample_rate_hz": RATE_HZ, "duration_ms": 2150, "data": "UklGRi..."},
        "motion": None,
        "function_calls": [],
        "usage": {"total_tokens": 71, "input_tokens": 55, "output_tokens": 16},
    },
    "SecretBody": {
        "id": "grant_3f9a",
        "value": "ek_acme_...",
        "expires_at": 1767226200,
        "session": {**_SETTINGS, "object": "realtime.session", "id": ""},
    },
    "AvatarList": {"object": "list", "data": [_AVATAR]},
    "PersonaOut": _PERSONA,
    "PersonaList": {"object": "list", "data": [_PERSONA], "has_more": False, "last_id": "concierge"},
    "UsageBody": {
        "object": "a2.usage",
        "start": "2026-01-01T00:00:00Z",
        "end": "2026-01-31T00:00:00Z",
        "group_by": "day",
        "data": [{"group": "2026-01-17", **_COUNTED}],
        "total": _COUNTED,
        "has_more": False,
        "last_id": "2026-01-17",
    },
    "ProblemBody": {
        "type": "https://a2llm.dev/problems/not_found",
        "title": "Not found",
        "status": 404,
        "code": "not_found",
        "detail": "no session 'sess_0123456789abcdef0123'",
        "request_id": "req_0123456789abcdef01234567",
    },
    "Readiness": {"ready": True, "draining": False, "redis": "ok", "inference": "ok"},
    "Status": {"ready": True, "draining": False, "redis": "ok", "inference": "ok", "sockets": 12, "loop_lag_ms": 0.4},
}
