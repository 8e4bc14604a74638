"""For `fuzz`: what a valid request may be answered with, where the document says of its conditions that no schema can state them."""

from typing import Any

import schemathesis

# The codes that the document's description names; any other refusal of a valid request is a fault of the schema.
CONDITIONS = (
    "conflicting_values",
    "unsupported",
    "persona_unknown",
    "rig_unavailable",
    "invalid_audio",
    "invalid_tool_call_id",
    "not_storable",
    "invalid_event",
)
REFUSED = (400, 406, 415, 422)


@schemathesis.check
def valid_is_accepted_but_for_conditions(ctx: Any, response: Any, case: Any) -> None:
    """Replaces `positive_data_acceptance`: valid requests are accepted, unless the server's state forbids them."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in REFUSED:
        return
    body = response.json()
    assert body["code"] in CONDITIONS, f"a valid request was refused: {body['code']}: {body['detail']}"
