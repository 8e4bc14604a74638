"""Every way to the model offers what `InferenceClient` asks for, with the same arguments."""

import inspect

import pytest

from a2serve.gateway.model_client.canary import CanaryInference
from a2serve.gateway.model_client.grpc_client import GrpcInference
from a2serve.gateway.model_client.interface import InferenceClient
from a2serve.gateway.personas.inference import InferenceWithPersonas

METHODS = [name for name in vars(InferenceClient) if not name.startswith("_")]


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("way", [GrpcInference, CanaryInference, InferenceWithPersonas], ids=lambda way: way.__name__)
def test_a_way_to_the_model_takes_and_gives_what_is_agreed(way: type, name: str):
    wanted, has = inspect.signature(getattr(InferenceClient, name)), inspect.signature(getattr(way, name))
    assert [str(argument) for argument in has.parameters.values()] == [str(argument) for argument in wanted.parameters.values()]
    assert has.return_annotation == wanted.return_annotation
    streams = name == "respond"
    assert inspect.isasyncgenfunction(getattr(way, name)) == streams != inspect.iscoroutinefunction(getattr(way, name))


def test_a_gateway_asks_five_things_of_a_model():
    assert METHODS == ["describe", "respond", "listen", "idle", "release"]
