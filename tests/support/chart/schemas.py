"""Objects against the API's own schemas: of the three newest minor versions of Kubernetes, and of the custom resources (crds/README.md)."""

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource

from support.chart.render import Object, Rendered

MINORS = ("1.35", "1.36", "1.37")
CRDS = Path(__file__).parents[2] / "contract" / "chart" / "crds"
# No schema was at hand: what the chart makes of it is checked by the other checks only.
UNCHECKED = {"HTTPRoute", "GCPBackendPolicy", "HealthCheckPolicy", "ExternalSecret"}


def schema_problems(found: Rendered, minors: tuple[str, ...] = MINORS) -> list[str]:
    """Empty when all is well. Strict: unknown fields are problems."""
    return [
        f"{each['kind']} {each['metadata']['name']} ({where}): {problem}"
        for each in found.objects
        for where, problem in _object(each, minors)
    ]


def _object(each: Object, minors: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    kind = each["kind"]
    if kind in UNCHECKED:
        return
    custom = custom_schemas().get((each["apiVersion"], kind))
    validators = {"CRD": custom} if custom else {minor: _builtin(minor, kind.lower(), each["apiVersion"]) for minor in minors}
    for where, validator in validators.items():
        if validator is None:
            yield where, "nobody knows it"
        elif error := best_match(validator.iter_errors(each)):
            yield where, f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"


@cache
def _definitions(minor: str) -> Registry:
    text = (_folder(minor) / "_definitions.json").read_text()
    return Resource.from_contents(json.loads(text)) @ Registry()


def _folder(minor: str) -> Any:
    return files("kubernetes_validate").joinpath("kubernetes-json-schema", f"v{minor}.0-local-strict")


@cache
def _builtin(minor: str, kind: str, api_version: str) -> Draft202012Validator | None:
    """kubernetes-validate's own schema, read once instead of for each object."""
    group, _, version = api_version.rpartition("/")
    name = f"{kind}-{group.partition('.')[0]}-{version}" if group else f"{kind}-{version}"
    path = _folder(minor) / f"{name}.json"
    if not path.is_file():
        return None
    schema = json.loads(path.read_text())
    return Draft202012Validator(schema, registry=Resource.from_contents(schema) @ _definitions(minor))


@cache
def custom_schemas() -> dict[tuple[str, str], Draft202012Validator]:
    """By API version and kind."""
    crds = [yaml.load(path.read_text(), yaml.CSafeLoader) for path in sorted(CRDS.glob("*.yaml"))]
    return {
        (f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"]): _validator(version["schema"]["openAPIV3Schema"])
        for crd in crds
        for version in crd["spec"]["versions"]
    }


def _validator(schema: Object) -> Draft202012Validator:
    closed = _closed(schema)
    for name in ("apiVersion", "kind", "metadata"):
        closed["properties"].setdefault(name, {})
    closed["properties"]["metadata"] = {"type": "object"}
    return Draft202012Validator(closed)


def _closed(schema: Any) -> Any:
    """Closes a schema as the API server's field validation does: a field that is not listed is unknown, unless it is said to be kept."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _closed(value) for key, value in schema.items() if key not in ("properties", "description", "default")}
    if "properties" in schema:
        made["properties"] = {name: _closed(each) for name, each in schema["properties"].items()}
    if "properties" in made and not made.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made
