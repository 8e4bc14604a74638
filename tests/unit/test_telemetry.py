"""Names stand in names.py and nowhere else; log lines are JSON with the ids of what they belong to."""

import ast
import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider

import a2serve
from a2serve.telemetry import names
from a2serve.telemetry.logs import JsonLines, log_fields, start_logging

SERVICES = Path(a2serve.__file__).parent
WEB = SERVICES.parent / "web" / "src"
PART = "web|gateway|inference|recorder"
OURS = re.compile(rf"a2\.(?:{PART})\.(?!v\d)[a-z0-9_.]+|a2_(?:{PART})_[a-z0-9_]+")
# Calls whose first argument is a name of telemetry: never a literal.
NAMED = {"start_span", "start_as_current_span", "set_attribute", "add_event", "Counter", "Gauge", "Histogram", "Summary", "Info"}
LIBRARIES = {"prometheus_client", "opentelemetry"}


def values() -> dict[str, str]:
    return {key: value for key, value in vars(names).items() if isinstance(value, str) and key.isupper()}


def sources() -> list[Path]:
    left_out = ("names.py", "_pb2.py", "_pb2_grpc.py")
    return [path for path in sorted(SERVICES.rglob("*.py")) if not path.name.endswith(left_out)]


def docstrings(tree: ast.AST) -> set[int]:
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}


def strays(path: Path) -> Iterator[str]:
    """Literals that are names of telemetry, and literals where one is expected."""
    tree = ast.parse(path.read_text())
    said = docstrings(tree)
    uses_libraries = any(library in path.read_text() for library in LIBRARIES)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said and OURS.fullmatch(node.value):
            yield f"{path.relative_to(SERVICES)}:{node.lineno}: {node.value!r}"
        if isinstance(node, ast.Call) and uses_libraries and node.args and called(node) in NAMED:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield f"{path.relative_to(SERVICES)}:{first.lineno}: {called(node)}({first.value!r})"


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""


def test_services_take_every_name_from_names() -> None:
    found = [stray for path in sources() for stray in strays(path)]
    assert not found, "put these into telemetry/names.py:\n" + "\n".join(found)


def test_a_name_that_is_used_exists() -> None:
    used = {match for path in sources() for match in re.findall(r"\bnames\.([A-Z][A-Z0-9_]+)\b", path.read_text())}
    assert not used - set(vars(names))


def test_every_name_is_emitted_somewhere() -> None:
    """A name that nobody uses is a promise nobody keeps: a span that never comes, a metric that stays empty."""
    page = [path for path in WEB.rglob("*.ts") if path.name != "names.ts"]
    text = "\n".join(path.read_text() for path in [*sources(), *page])
    unused = [key for key in vars(names) if key.isupper() and not re.search(rf"\b{key}\b", text)]
    assert not unused, "emit these or delete them: " + ", ".join(unused)


def test_the_page_uses_names_that_exist() -> None:
    found = {(path.name, name) for path in WEB.rglob("*.ts") for name in re.findall(rf"[\"'`]({OURS.pattern})[\"'`]", path.read_text())}
    assert not {(file, name) for file, name in found if name not in values().values()}


def test_every_name_stands_once_and_as_its_kind_demands() -> None:
    spans_and_metrics = {key: value for key, value in values().items() if key.startswith(("SPAN_", "METRIC_", "ATTR_", "SERVICE_"))}
    assert not [name for name, count in Counter(spans_and_metrics.values()).items() if count > 1]
    patterns = {"SPAN_": rf"a2\.({PART})\.[a-z_]+", "METRIC_": rf"a2_({PART})_[a-z_]+", "ATTR_": r"a2\.[a-z_.]+", "SERVICE_": r"a2-[a-z]+"}
    for key, value in spans_and_metrics.items():
        prefix = key.partition("_")[0] + "_"
        assert re.fullmatch(patterns[prefix], value), f"{key} = {value!r}"


def test_buckets_rise() -> None:
    buckets = {key: value for key, value in vars(names).items() if key.startswith("BUCKETS_")}
    assert buckets
    assert all(list(value) == sorted(set(value)) for value in buckets.values())


def line(message: str = "hello", **extra: object) -> dict[str, object]:
    record = logging.LogRecord("test", logging.INFO, "file.py", 1, message, (), None)
    vars(record).update(extra)
    return json.loads(JsonLines("a2-test").format(record))


def test_a_log_line_carries_what_is_bound_around_it() -> None:
    with log_fields(tenant="dev"), log_fields(session_id="s1"):
        inside = line(request_id="r1")
    assert {key: inside[key] for key in ("service", "level", "message", "tenant", "session_id", "request_id")} == {
        "service": "a2-test",
        "level": "info",
        "message": "hello",
        "tenant": "dev",
        "session_id": "s1",
        "request_id": "r1",
    }
    assert "tenant" not in line()


def test_a_log_line_names_the_trace_and_the_error() -> None:
    with TracerProvider().get_tracer("test").start_as_current_span("work") as span:
        assert line()["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    record = logging.LogRecord("test", logging.ERROR, "file.py", 1, "failed: %s", ("x",), None)
    try:
        raise ValueError("wrong shape")
    except ValueError as error:
        record.exc_info = (type(error), error, error.__traceback__)
    shown = json.loads(JsonLines("a2-test").format(record))
    assert shown["message"] == "failed: x"
    assert shown["error"].endswith("ValueError: wrong shape")


def test_the_check_finds_what_it_looks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "SERVICES", tmp_path)
    file = tmp_path / "bad.py"
    file.write_text('"""a2.gateway.turn"""\nfrom prometheus_client import Counter\nCounter("mine", "x")\nNAME = "a2.gateway.turn"\n')
    assert list(strays(file)) == ["bad.py:3: Counter('mine')", "bad.py:4: 'a2.gateway.turn'"]


def test_debug_is_for_our_own_lines() -> None:
    """uvicorn and websockets write at DEBUG what they carry: the Authorization header, and what people say."""
    root, names_of = logging.getLogger(), ("uvicorn.error", "websockets.server", "httpcore.http11", "redis", "asyncio")
    handlers, level = root.handlers[:], root.level
    levels = {each: logging.getLogger(each).level for name in names_of for each in (name, name.partition(".")[0])}
    try:
        for name in levels:  # uvicorn of another test may have given them one
            logging.getLogger(name).setLevel(logging.NOTSET)
        start_logging("a2-gateway", "DEBUG")
        assert logging.getLogger("a2serve.gateway.app").isEnabledFor(logging.DEBUG)
        assert not [name for name in names_of if logging.getLogger(name).isEnabledFor(logging.DEBUG)]
        start_logging("a2-gateway", "ERROR")
        assert not any(logging.getLogger(name).isEnabledFor(logging.WARNING) for name in ("a2serve.gateway.app", *names_of))
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        for name, own in levels.items():
            logging.getLogger(name).setLevel(own)
        for ours in ("a2serve", "a2llm"):
            logging.getLogger(ours).setLevel(logging.NOTSET)
