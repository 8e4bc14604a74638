"""Rules, dashboards, collector, scraping, topics: what they name exists."""

import importlib.util
import json
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.infra_files import INFRA, ROOT, load, rules, unknown_labels, unknown_metrics

from a2serve.contracts.records import TOPICS
from a2serve.recorder.topics import read_topics
from a2serve.telemetry import names

OBSERVABILITY = INFRA / "observability"
ALERTS: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("alerts.yaml").read_text())
DASHBOARDS = sorted((OBSERVABILITY / "dashboards").glob("*.json"))


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_asks_for_what_is_shown(rule: dict):
    assert not unknown_metrics(rule["expr"]) and not unknown_labels(rule["expr"])
    if "alert" in rule:
        assert rule["labels"]["severity"] in ("page", "ticket") and rule["annotations"]["summary"]
        assert rule["annotations"]["runbook_url"].partition("/docs/runbooks.md#")[2] == rule["alert"].lower()


def test_the_check_of_names_bites():
    assert unknown_metrics("rate(a2_gateway_response_total[5m])") == {"a2_gateway_response_total"}
    assert unknown_metrics("a2:slo_bad:ratio2h > 1") == {"a2:slo_bad:ratio2h"}
    assert unknown_labels('a2_inference_slots{status_="free"} by (reason)') == {"status_"}


def test_the_objective_is_a_bound_of_the_histogram():
    bounds = {float(bound) for rule in rules() for bound in re.findall(r'le="([^"]+)"', rule["expr"])}
    assert bounds and bounds <= set(names.BUCKETS_LATENCY_SECONDS)


needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not here (Debian: apt install prometheus)")


def test_every_alert_has_a_runbook_and_a_case():
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    assert set(re.findall(r"^## (A2\w+)$", (ROOT / "docs" / "runbooks.md").read_text(), flags=re.M)) == alerts
    assert set(ALERTS) == alerts


@needs_promtool
@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_fires_when_it_should_and_not_before(alert: str, tmp_path: Path):
    case = ALERTS[alert]
    firing = f'count by (alertname, {", ".join(case["labels"])}) (ALERTS{{alertname="{alert}", alertstate="firing"}})'
    labels = ", ".join(f'{name}="{value}"' for name, value in {"alertname": alert, **case["labels"]}.items())
    times = [(case["silent"], []), (case["fires"], [{"labels": f"{{{labels}}}", "value": 1}])]
    series = [{"series": name, "values": values} for name, values in case["series"].items()]
    expected = [{"expr": firing, "eval_time": when, "exp_samples": samples} for when, samples in times]
    tests = [{"interval": "1m", "input_series": series, "promql_expr_test": expected}]
    files = [str(path) for path in sorted((OBSERVABILITY / "rules").glob("*.yaml"))]
    path = tmp_path / "alert.yaml"
    path.write_text(yaml.safe_dump({"rule_files": files, "evaluation_interval": "1m", "tests": tests}))
    done = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_alerts_fire_when_they_should_and_only_then():
    done = subprocess.run(["promtool", "test", "rules", Path(__file__).with_name("rules_test.yaml")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_asks_for_what_is_shown(path: Path):
    board = json.loads(path.read_text())
    for panel in board["panels"]:
        for target in panel["targets"]:
            assert not unknown_metrics(target["expr"]) and not unknown_labels(target["expr"]), panel["title"]
    places = sorted((p["gridPos"]["y"], p["gridPos"]["x"], p["gridPos"]["x"] + p["gridPos"]["w"]) for p in board["panels"])
    assert all(right <= left or y != above for (above, _, right), (y, left, _) in pairwise(places))
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {"${datasource}"}
    chosen = {each["name"]: each for each in board["templating"]["list"]}["datasource"]
    assert chosen["type"] == "datasource" and chosen["query"] in {each["type"] for each in _datasources()}


def test_dashboards_are_those_of_their_program():
    spec = importlib.util.spec_from_file_location("dashboards", OBSERVABILITY / "dashboards.py")
    assert spec and spec.loader
    made = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["dashboards"] = made  # dataclasses look their module up
    spec.loader.exec_module(made)
    assert {path.stem for path in DASHBOARDS} == set(made.DASHBOARDS)
    for path in DASHBOARDS:
        assert path.read_text() == made.text(path.stem), "run: python infra/observability/dashboards.py"


def test_the_collector_uses_what_it_declares():
    config = load("infra/observability/collector.yaml")
    assert set(config["service"]["extensions"]) <= set(config["extensions"])
    for pipeline in config["service"]["pipelines"].values():
        for kind in ("receivers", "processors", "exporters"):
            assert set(pipeline[kind]) <= set(config[kind])
        assert pipeline["processors"][0] == "memory_limiter"


def test_topics_are_those_that_records_go_to():
    topics = read_topics((INFRA / "kafka" / "topics.yaml").read_text())
    assert {topic.name for topic in topics} == set(TOPICS)
    assert all(int(topic.config["retention.ms"]) >= 86_400_000 for topic in topics)


def _datasources() -> list[dict]:
    return load("infra/observability/grafana/datasources.yaml")["datasources"]
