"""values.yaml is the source: schema and README are made from it, and every setting of the programs is in it."""

import importlib.util
import json
import sys
from types import ModuleType

import jsonschema
import pytest
from support.chart.lifecycle import INSIDE, public, reaches
from support.chart.render import CHART, ROOT, Rendered, pods, profiles, rendered
from support.chart.settings import IN_SERVE_CONFIG, OF_RAY_PROGRAM, OF_STANDALONE, unset

from a2serve.gateway.settings import GatewaySettings
from a2serve.inference.ray_settings import RaySettings
from a2serve.inference.settings import InferenceSettings
from a2serve.recorder.settings import RecorderSettings

# Other than the program's own default, because there is a cluster around it.
ON_PURPOSE = {"drain_s": "sessions of a whole gateway, not of a terminal", "device": "a pod knows whether it has a GPU; auto would look"}


@pytest.fixture(scope="module")
def describe() -> ModuleType:
    spec = importlib.util.spec_from_file_location("describe", ROOT / "charts" / "describe.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def test_schema_and_readme_are_current(describe: ModuleType) -> None:
    stale = [path.name for path, text in describe.made().items() if path.read_text() != text]
    assert not stale, "run: python charts/describe.py"


def test_schema_is_a_schema_that_defaults_and_examples_satisfy() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    for values in ({}, *profiles().values()):
        jsonschema.Draft7Validator(schema).validate(values)
    jsonschema.Draft7Validator(schema).validate(rendered("everything").values)


@pytest.mark.parametrize(("text", "said"), [("a: 1\n", "a has no comment"), ("# A list.\na: []\n", "does not say what it holds")])
def test_a_value_says_what_it_is(describe: ModuleType, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        describe.schema(describe.read_values(text))


def container(found: Rendered, name: str) -> dict[str, object]:
    return next(each for pod in pods(found) for each in pod.containers if each["name"] == name)


def test_every_setting_is_given_or_left_on_purpose() -> None:
    """The other way round, a variable that no program reads, is `settings_problems`."""
    everything, trial, otherwise = rendered("everything"), rendered("values-trial"), rendered("otherwise")
    of_redis = {f"redis_{name}" for name in ("sentinel", "cluster", "username", "ca_file", "cert_file", "key_file", "password")}
    own = {"kafka_password", "otlp_ca_file", "language_model_secrets", "language_model_variables"}
    assert unset(container(everything, "gateway")) == of_redis | own, (
        "one Valkey; secrets are files, those of endpoints mounted by name; the chart's own collector"
    )
    assert unset(container(otherwise, "gateway")) & of_redis == {"redis_cluster", "redis_password"}, "Sentinels, TLS with certificates"
    assert unset(container(everything, "recorder")) == {"kafka_password"}, "it is a file"
    assert unset(container(otherwise, "gateway")) >= {"web_folder"}, "page: false"
    assert unset(container(trial, "inference")) == {"model_folder", "flame_mapping", "otlp_endpoint"}, "weights and collector are off"
    green = [
        each
        for pod in pods(everything)
        if pod.owner.startswith("RayService") and pod.labels["a2llm/version"] == "green"
        for each in pod.containers
        if each["name"] != "ray-lease"  # Ray's own variables
    ]
    for each in green:
        wanted = OF_STANDALONE | {"device"} | (OF_RAY_PROGRAM | IN_SERVE_CONFIG if each["name"] != "triton" else set())
        assert unset(each) == wanted, each["name"]


def test_defaults_are_the_programs_own() -> None:
    values = rendered("values-trial").values
    ray = values["inference"]["ray"]["scaling"]
    said = [
        (GatewaySettings, rendered("otherwise").values["gateway"]["settings"] | {"drainS": values["gateway"]["drainSeconds"]}),
        (InferenceSettings, values["inference"]["versionDefaults"]["settings"]),
        (RecorderSettings, values["recorder"]["settings"]),
        (
            RaySettings,
            {
                "slotsShare": ray["slotsShare"],
                "frlLimitMs": ray["frlLimitMs"],
                "scaleLookBackS": ray["lookBackS"],
                "scaleUpS": ray["upS"],
                "scaleDownS": ray["downS"],
            },
        ),
    ]
    for settings, chosen in said:
        own = {
            "".join(part.title() if index else part for index, part in enumerate(name.split("_"))): (name, field.default)
            for name, field in settings.model_fields.items()
        }
        different = {own[key][0] for key, value in chosen.items() if value != own[key][1]}
        assert different <= ON_PURPOSE.keys(), settings.__name__


def test_every_path_of_the_api_is_public_or_inside() -> None:
    """And so are those that probes ask."""
    from a2serve.gateway.app import create_app

    paths = create_app(GatewaySettings(tenants_file=CHART / "none")).openapi()["paths"]
    for profile in ("everything", "otherwise"):
        opened = public(rendered(profile))
        hidden = {path for path in paths if not any(reaches(kind, prefix, path) for kind, prefix in opened)}
        assert hidden <= set(INSIDE) and {"/healthz", "/readyz", "/metrics"} <= hidden
