"""Errors are told in few words, whatever the client sent."""

import pytest

from a2serve.contracts.events import parse_client_event, write_event
from a2serve.contracts.problems import Problem


@pytest.mark.parametrize(
    "frame",
    [
        '{"type": "session.update", "session": {"' + "x" * 1_000_000 + '": 1}}',
        '{"type": "response.create", "response": {"metadata": {"' + "é" * 1_000_000 + '": 1}}}',
        '{"type": "' + "x" * 1_000_000 + '"}',
    ],
)
def test_a_long_name_of_a_field_does_not_come_back(frame: str) -> None:
    with pytest.raises(Problem) as caught:
        parse_client_event(frame)
    assert len(write_event(caught.value.as_event())) < 4000
    assert len(str(caught.value.as_json("req_1"))) < 4000
