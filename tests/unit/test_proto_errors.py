"""Errors of a model cross gRPC as they were, and replicas without codes are understood by their status."""

import pytest
from grpc import StatusCode

from a2llm.messages import EngineDown, ModelError, Refused, ResponseUnknown, RigUnavailable, UtteranceUnknown, WordsMissing
from a2serve.contracts.proto.errors import EXPECTED, STATUS, from_status, to_status

ERRORS = [Refused("full", 300), EngineDown("it drains"), RigUnavailable("no mapping"), UtteranceUnknown("send it again"), ValueError("no")]
NEWER = [ResponseUnknown("it is not spoken here"), WordsMissing("no word came")]  # than replicas without codes


@pytest.mark.parametrize("error", [*ERRORS, *NEWER], ids=lambda error: type(error).__name__)
def test_an_error_comes_back_as_it_was(error: Exception):
    back = from_status(*to_status(error))
    assert (type(back), str(back), vars(back)) == (type(error), str(error), vars(error)) and isinstance(error, EXPECTED)


def test_every_error_of_the_model_has_a_status_and_a_code():
    assert set(STATUS) == set(ModelError.__subclasses__()) == {type(error) for error in [*ERRORS, *NEWER]} - {ValueError}
    assert len({kind.code for kind in STATUS}) == len(STATUS)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_without_a_code_the_status_counts(error: Exception):
    status = to_status(error)
    assert type(from_status(status.code, "x", None, type(error) if isinstance(error, UtteranceUnknown) else RigUnavailable)) is type(error)


@pytest.mark.parametrize("status", [StatusCode.INTERNAL, StatusCode.DEADLINE_EXCEEDED, StatusCode.CANCELLED])
def test_other_ends_are_no_error_of_the_model(status: StatusCode):
    assert from_status(status, "x", ()) is None
