"""Every check on everything that the examples and two more profiles render. tests/bench/mutate_chart.py shows that they bite."""

import kubernetes_validate
import pytest
import yaml
from support.chart.checks import CHECKS, Check
from support.chart.metrics import OTHERS, metrics
from support.chart.mutants import MUTANTS
from support.chart.render import ROOT, pods, profiles, rendered
from support.chart.schemas import MINORS, UNCHECKED


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("profile", profiles())
def test_rendered(profile: str, check: Check) -> None:
    assert check(rendered(profile)) == []


def test_schemas_are_those_of_kubernetes_validate() -> None:
    """Its own function finds the same as ours, which reads each schema once; the newest three are those it has."""
    assert kubernetes_validate.latest_version() == f"{MINORS[-1]}.0"
    for each in rendered("values-trial").objects:
        assert kubernetes_validate.validate(each, MINORS[0], strict=True) == MINORS[0]
    kinds = {each["kind"] for profile in profiles() for each in rendered(profile).objects}
    assert kinds >= UNCHECKED, "what has no schema is listed, and nothing else is"


def test_metric_names_are_found_in_queries() -> None:
    query = 'sum by (le) (rate(a_bucket{x="b"}[5m])) / on (slo) group_left () (14.4 * a2:b:ratio) > bool 0 or vector(0) unless c offset 5m'
    assert metrics(query) == {"a_bucket", "a2:b:ratio", "c"}


def test_metrics_of_others_are_not_listed_for_nothing() -> None:
    """The list of metrics of Triton, HAProxy, Ray and Kubernetes that our dashboards may use is short, and none of them is ours."""
    assert len(OTHERS) < 30 and not [name for name in OTHERS if name.startswith("a2")]


def test_images_of_others_are_those_of_compose() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    containers = [each for profile in ("everything", "with-data") for pod in pods(rendered(profile)) for each in pod.containers]
    ours = {container["image"].removeprefix("docker.io/") for container in containers}
    others = {image for image in ours if not image.startswith("ghcr.io/a2llm/")}
    assert len(others) == 3 and others <= {service.get("image") for service in compose["services"].values()}


def test_mutants_still_have_something_to_break() -> None:
    """Every mutant finds its text; `make mutate-chart` (two minutes) shows that they are caught."""
    gone = [mutant for mutant in MUTANTS if mutant.old not in (ROOT / "charts" / "a2llm" / mutant.file).read_text()]
    assert not gone and len(MUTANTS) >= 100
