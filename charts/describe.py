"""Writes a2llm/values.schema.json and a2llm/README.md from a2llm/values.yaml and its comments: `python charts/describe.py`.

Strict: a name that values.yaml does not have is refused, so a typo is an error and not a value that nobody reads. What a default does not
say about its type stands in lines `# @mark rest` above it:

    @enum A B       one of these                     @minimum N, @maximum N, @pattern REGEX
    @nullable TYPE  a TYPE or null                   @list TYPE        a list of string or object
    @map TYPE       any keys, values of TYPE         @object           anything that Kubernetes takes there
    @like image     registry path, tag, digest       @pod              extra fields of a pod's spec
    @entries PATH   any keys (@keys REGEX); an entry is like PATH, any part of it, or null
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parent / "a2llm"
TYPES: dict[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string"}
NUMBERS = ("minimum", "maximum")
IMAGE = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "repository": {"type": "string", "minLength": 1},
        "tag": {"type": "string", "not": {"const": "latest"}},
        "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    },
}
POD_OBJECTS = ("nodeSelector", "affinity", "dnsConfig")
POD_LISTS = ("tolerations", "topologySpreadConstraints", "hostAliases", "resourceClaims")
POD_STRINGS = ("priorityClassName", "runtimeClassName", "schedulerName", "dnsPolicy")
POD: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        name: {"type": kind} for names, kind in ((POD_OBJECTS, "object"), (POD_LISTS, "array"), (POD_STRINGS, "string")) for name in names
    },
}


@dataclass(frozen=True)
class Value:
    """One key of values.yaml. `parts` are its own keys, where it is a mapping whose keys stand on lines of their own or in braces."""

    path: tuple[str, ...]
    default: Any
    says: str
    marks: dict[str, str]
    parts: list["Value"] = field(default_factory=list)

    @property
    def name(self) -> str:
        return ".".join(self.path)


def read_values(text: str) -> list[Value]:
    """Raises ValueError for a key without a comment, or a default that does not say what it holds."""
    return list(_values(yaml.compose(text), text.splitlines(), ()))


def _values(node: yaml.MappingNode, lines: list[str], path: tuple[str, ...]) -> Iterator[Value]:
    for key, content in node.value:
        own = (*path, key.value)
        says, marks = ("", {}) if node.flow_style else _comment(lines, key.start_mark.line, ".".join(own))
        default = yaml.safe_load(yaml.serialize(content))
        closed = any(mark in marks for mark in ("like", "map", "object", "pod", "entries"))
        parts = list(_values(content, lines, own)) if isinstance(content, yaml.MappingNode) and not closed else []
        yield Value(own, default, says, marks, parts)


def _comment(lines: list[str], line: int, name: str) -> tuple[str, dict[str, str]]:
    """The comment right above a line, and its marks."""
    first = line
    while lines[first - 1].strip().startswith("#"):
        first -= 1
    found = [text.strip().removeprefix("#").strip() for text in lines[first:line]]
    marks = dict(([*mark[1:].split(" ", 1), ""])[:2] for mark in found if mark.startswith("@"))
    says = " ".join(text for text in found if not text.startswith("@"))
    if not says:
        raise ValueError(f"{name} has no comment")
    return says, marks


def schema(values: list[Value]) -> dict[str, Any]:
    """Builds the schema of the whole file, as JSON Schema draft 7, which Helm 3 and 4 read."""
    by_name = {value.name: value for value in _all(values)}
    entries = {value.marks["entries"] for value in by_name.values() if "entries" in value.marks}
    root = _mapping(values)
    root["properties"]["global"] = {"type": "object"}  # Helm's own, where this chart is part of another
    definitions = {"image": IMAGE, "pod": POD} | {name: _mapping(by_name[name].parts) for name in sorted(entries)}
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Values of a2llm", **root, "definitions": definitions}


def _all(values: list[Value]) -> Iterator[Value]:
    for value in values:
        yield value
        yield from _all(value.parts)


def _mapping(values: list[Value]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {value.path[-1]: _one(value) for value in values}}


def _one(value: Value) -> dict[str, Any]:
    marks = value.marks
    if reference := marks.get("like") or ("pod" if "pod" in marks else ""):
        return {"$ref": f"#/definitions/{reference}"}
    found = _shape(value)
    found |= {mark: json.loads(marks[mark]) for mark in NUMBERS if mark in marks}
    found |= {"pattern": marks["pattern"]} if "pattern" in marks else {}
    return {"description": value.says, **found} if value.says else found


def _shape(value: Value) -> dict[str, Any]:
    marks = value.marks
    if "enum" in marks:
        return {"enum": marks["enum"].split()}
    if "nullable" in marks:
        return {"type": [marks["nullable"], "null"]}
    if "list" in marks:
        return {"type": "array", "items": {"type": marks["list"]}}
    if "map" in marks:
        return {"type": "object", "additionalProperties": {"type": marks["map"]}}
    if "object" in marks:
        return {"type": "object"}
    if "entries" in marks:
        entry = {"anyOf": [{"type": "null"}, {"$ref": f"#/definitions/{marks['entries']}"}]}
        return {"type": "object", "additionalProperties": False, "patternProperties": {marks["keys"]: entry}}
    if value.parts:
        return _mapping(value.parts)
    if type(value.default) not in TYPES:
        raise ValueError(f"{value.name}: {value.default!r} does not say what it holds; mark it")
    return {"type": TYPES[type(value.default)]}


README = """\
# a2llm: the chart

A2-LLM Serve on Kubernetes: gateways, model replicas on GPU nodes, the recorder, and what watches them. How to install, upgrade, switch
model versions and roll back: [docs/kubernetes.md](../../docs/kubernetes.md).

```sh
helm install a2llm charts/a2llm -f charts/a2llm/values-trial.yaml --timeout 15m   # one node, no GPU, no operator
helm install a2llm charts/a2llm -f my-values.yaml                     # needs redis, kafka, database: start from an example
```

| example | what it is |
|---|---|
| [values-trial.yaml](values-trial.yaml) | everything on one node without a GPU; nothing else has to be there |
| [values-gke.yaml](values-gke.yaml) | GKE: L4 nodes, on demand and spot, Gateway API, KEDA, Memorystore, Cloud SQL |
| [values-eks.yaml](values-eks.yaml) | EKS: g6 nodes, ALB, KEDA, MSK, ElastiCache, RDS, External Secrets |
| [values-airgap.yaml](values-airgap.yaml) | no internet: own registry, digests, weights on volumes, two model versions, HPA |

Made from values.yaml by `python charts/describe.py`. A name that is not here is refused. Maps of entries (`inference.versions`,
`inference.versionDefaults.workerGroups`) take any name; what an entry does not say is in the defaults beside them, and an entry that is
null is not there.
"""


def readme(values: list[Value]) -> str:
    """A table for each top-level value."""
    head = ["| value | default | |", "|---|---|---|"]
    lines = [README, *head, *(_row(value) for value in values if not value.parts)]
    for value in values:
        if value.parts:
            rows = [_row(each) for each in _all(value.parts) if each.says]
            lines += [f"\n## {value.name}\n", f"{value.says}\n", *head, *rows]
    return "\n".join(lines) + "\n"


def _row(value: Value) -> str:
    inner = value.parts and not all(not part.says for part in value.parts)
    default = "" if inner else f"`{json.dumps(value.default)}`"
    choice = f" One of {', '.join(f'`{word}`' for word in value.marks['enum'].split())}." if "enum" in value.marks else ""
    return f"| `{value.name}` | {default} | {(value.says + choice).replace('|', chr(92) + '|')} |"


def made() -> dict[Path, str]:
    """Returns the generated files with their content."""
    values = read_values((CHART / "values.yaml").read_text())
    return {CHART / "values.schema.json": json.dumps(schema(values), indent=1) + "\n", CHART / "README.md": readme(values)}


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text)
