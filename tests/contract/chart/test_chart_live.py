"""Renders the chart against objects that run already. Helm asks no cluster here: a text in a copy of the chart answers `lookup`."""

import json
import shutil
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml
from support.chart.render import CHART, NAMESPACE, RELEASE, Object, quiet

ACCOUNT = {"metadata": {"name": "default"}}
DATA: Object = {"redis": {"address": "r:6379"}, "kafka": {"servers": "k:9092"}, "database": {"secret": {"name": "d"}}}


def cluster_with(folder: Path, **objects: Any) -> Path:
    """A copy of the chart in which `lookup` finds these, by the kind and the name's end."""
    chart = Path(shutil.copytree(CHART, folder / "a2llm"))
    live = chart / "templates" / "_live.tpl"
    responses = json.dumps({"ServiceAccount default": ACCOUNT, **{key.replace("_", " ", 1): each for key, each in objects.items()}})
    question = "lookup (index . 1) (index . 2) (index . 0).Release.Namespace (index . 3)"
    assert question in live.read_text()
    found = f'get ({json.dumps(responses)} | fromJson) (printf "%s %s" (index . 2) (index . 3 | replace "{RELEASE}-a2llm-" ""))'
    live.write_text(live.read_text().replace(question, found))
    return chart


def upgraded(chart: Path, values: Object, upgrade: bool = True) -> list[Object]:
    with quiet(), helm_python.Chart.load(chart) as loaded:
        texts = loaded.render(values, name=RELEASE, namespace=NAMESPACE, is_upgrade=upgrade, is_install=not upgrade)
    return [each for name, text in texts.items() if name.endswith(".yaml") for each in yaml.safe_load_all(text) if each]


def notes(chart: Path, values: Object) -> str:
    with quiet(), helm_python.Chart.load(chart) as loaded:
        texts = loaded.render(values, name=RELEASE, namespace=NAMESPACE, is_upgrade=True, is_install=False)
    return next(text for name, text in texts.items() if name.endswith("NOTES.txt"))


def one(objects: list[Object], kind: str, end: str) -> Object:
    [found] = [each for each in objects if each["kind"] == kind and each["metadata"]["name"].endswith(end)]
    return found


SCALED: Object = DATA | {"gateway": {"autoscaling": {"mode": "keda", "min": 3}}}


@pytest.mark.parametrize("live", [4, 7])
def test_switching_autoscaling_on_keeps_as_many_gateways_as_there_are(tmp_path: Path, live: int) -> None:
    """Without the field the API server would take one, and all sessions but those of one gateway would move at once."""
    chart = cluster_with(tmp_path, Deployment_gateway={"spec": {"replicas": live}})
    assert one(upgraded(chart, SCALED), "Deployment", "-gateway")["spec"]["replicas"] == live


def test_a_first_installation_with_autoscaling_begins_with_its_least(tmp_path: Path) -> None:
    assert one(upgraded(cluster_with(tmp_path), SCALED, upgrade=False), "Deployment", "-gateway")["spec"]["replicas"] == 3


def test_without_a_cluster_to_ask_the_number_is_left_to_the_autoscaler() -> None:
    assert "replicas" not in one(upgraded(CHART, SCALED), "Deployment", "-gateway")["spec"]


def ray(*groups: tuple[str, int]) -> Object:
    """The service in the cluster and the RayCluster that it has made, whose numbers are the autoscaler's."""
    specs = [{"groupName": name, "replicas": count} for name, count in groups]
    return {
        "RayService_inference-blue": {
            "spec": {"rayClusterConfig": {"workerGroupSpecs": [each | {"replicas": 1} for each in specs]}},
            "status": {"activeServiceStatus": {"rayClusterName": "inference-blue-x7"}},
        },
        "RayCluster_inference-blue-x7": {"spec": {"workerGroupSpecs": specs}},
    }


def groups(objects: list[Object]) -> list[tuple[str, int]]:
    specs = one(objects, "RayService", "-blue")["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    return [(each["groupName"], each["replicas"]) for each in specs]


def with_groups(**own: Object) -> Object:
    return DATA | {"inference": {"versions": {"blue": {"workerGroups": own}}}}


def test_a_group_that_is_added_comes_after_those_that_run(tmp_path: Path) -> None:
    """KubeRay fills a second cluster unless new groups are at the end."""
    chart = cluster_with(tmp_path, **ray(("gpu", 1), ("spot", 1)))
    assert groups(upgraded(chart, with_groups(alpha={}, spot={}))) == [("gpu", 1), ("spot", 1), ("alpha", 1)]
    assert groups(upgraded(CHART, with_groups(alpha={}))) == [("alpha", 1), ("gpu", 1)], "nobody to ask: by name"


def test_an_upgrade_keeps_the_number_of_workers_within_the_bounds(tmp_path: Path) -> None:
    """`replicas: min` would begin a new cluster small at the peak, and KubeRay writes it over the autoscaler's when it adds a group."""
    chart = cluster_with(tmp_path, **ray(("gpu", 5), ("spot", 9)))
    assert groups(upgraded(chart, with_groups(gpu={"min": 2, "max": 8}, spot={"min": 0, "max": 4}))) == [("gpu", 5), ("spot", 4)]
    assert groups(upgraded(chart, with_groups(gpu={"min": 6, "max": 8}))) == [("gpu", 6)], "a group that is gone is gone"
    assert groups(upgraded(chart, with_groups(gpu={"min": 2, "max": 8}), upgrade=False)) == [("gpu", 2)]


def test_notes_say_what_a_second_cluster_needs_and_when_it_would_begin_too_small(tmp_path: Path) -> None:
    """KubeRay moves the sessions when `min` replicas serve, whatever runs now."""
    chart = cluster_with(tmp_path, **ray(("gpu", 5), ("spot", 2)))
    small = notes(chart, with_groups(gpu={"min": 2, "max": 8}, spot={"min": 0, "max": 4}))
    assert "blue: 7 workers, 7 GPUs. `min` is 2: a new cluster gets the sessions when 2" in small and "Raise `min` to 7" in small
    enough = notes(chart, with_groups(gpu={"min": 5, "max": 8}, spot={"min": 2, "max": 4, "gpus": 0}))
    assert "blue: 7 workers, 5 GPUs." in enough and "Raise `min`" not in enough
    assert "nvidia.com/gpu" in enough


def test_notes_say_when_the_namespace_could_not_be_deleted(tmp_path: Path) -> None:
    """KubeRay's operator with its default setting keeps each cluster until a Job has run, which a namespace that ends does not take."""
    live, values = ray(("gpu", 1)), with_groups(gpu={"min": 1})
    live["RayCluster_inference-blue-x7"]["metadata"] = {"finalizers": ["ray.io/gcs-ft-redis-cleanup-finalizer"]}
    assert "ENABLE_GCS_FT_REDIS_CLEANUP=false" in notes(cluster_with(tmp_path / "kept", **live), values)
    assert "ENABLE_GCS_FT_REDIS_CLEANUP" not in notes(cluster_with(tmp_path / "free", **ray(("gpu", 1))), values)


def test_a_volume_that_cannot_change_is_refused_before_anything_is(tmp_path: Path) -> None:
    claims = [{"spec": {"resources": {"requests": {"storage": "1Gi"}}}}]
    chart = cluster_with(tmp_path, StatefulSet_redis={"spec": {"volumeClaimTemplates": claims}})
    values = DATA | {"redis": {"inChart": {"enabled": True, "storage": "2Gi"}}}
    with pytest.raises(helm_python.HelmError, match="is 1Gi and stays so"):
        upgraded(chart, values)
    assert upgraded(chart, DATA | {"redis": {"inChart": {"enabled": True}}})
