"""One release of the GKE example and what each change of its values costs: docs/kubernetes.md, "What a change costs", step by step."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from kube import look
from kube.cluster import Cluster
from kube.processes import until
from kube.release import NAME, Release, example, merged, release
from kube.watch import gateways, watching
from support.chart.render import CHART, Object

REACHED_S = 30
GATEWAYS: Object = {"gateway": {"autoscaling": {"mode": "none"}, "replicas": 2}, "recorder": {"autoscaling": {"mode": "none"}}}
SOON: Object = {"inference": {"ray": {"deleteOldAfterSeconds": 5}}}
GROUP: Object = {"min": 0, "max": 2, "pod": {"nodeSelector": {"a2llm/pool": "gpu-spot"}}}


@pytest.fixture(scope="module")
def gke(own_cluster: Cluster) -> Iterator[Release]:
    """Two on-demand workers."""
    with release(own_cluster) as found:
        yield found.ready(example("gke"), GATEWAYS, SOON)


def _groups(values: Object) -> Object:
    return {"inference": {"versionDefaults": {"workerGroups": values}}}


def _rays(found: Release) -> dict[str, set[str]]:
    """Pods of each Ray cluster, which an upgrade may not touch."""
    return {
        name: {pod["metadata"]["name"] for pod in found.pods() if pod["metadata"]["labels"].get("ray.io/cluster") == name}
        for name in found.clusters()
    }


def test_the_same_values_again_change_nothing(gke: Release) -> None:
    before = gke.names()
    gke.upgrade()
    gke.settled()
    assert gke.names() == before


def test_the_charts_version_alone_restarts_nothing(gke: Release, tmp_path: Path) -> None:
    before = gke.names()
    shutil.copytree(CHART, tmp_path / "chart", symlinks=False)
    said = yaml.safe_load((tmp_path / "chart" / "Chart.yaml").read_text())
    (tmp_path / "chart" / "Chart.yaml").write_text(yaml.safe_dump(said | {"version": "9.9.9"}))
    gke.upgrade(chart=tmp_path / "chart")
    gke.settled()
    assert gke.names() == before


def test_an_image_of_the_gateway_rolls_gateways_only(gke: Release) -> None:
    rays, gateways, recorders = _rays(gke), gke.names("gateway"), gke.names("recorder")
    gke.upgrade({"gateway": {"image": {"tag": "next"}}})
    gke.settled()
    assert _rays(gke) == rays and gke.names("recorder") == recorders
    assert not gke.names("gateway") & gateways
    assert all(pod["spec"]["containers"][0]["image"].endswith(":next") for pod in gke.pods("gateway"))


def test_helm_rollback_undoes_that(gke: Release) -> None:
    rays = _rays(gke)
    gke.rollback()
    gke.values["gateway"]["image"] = {}
    gke.settled()
    assert _rays(gke) == rays
    assert not any(pod["spec"]["containers"][0]["image"].endswith(":next") for pod in gke.pods("gateway"))


def test_scaling_delays_reach_ray_without_a_restart(gke: Release) -> None:
    rays = _rays(gke)
    gke.upgrade({"inference": {"ray": {"scaling": {"downS": 77.0}}}})
    (name,) = rays
    until("Serve has them", lambda: "77" in str(gke.cluster.ray.puts[name][-1]), REACHED_S)
    gke.settled()
    assert _rays(gke) == rays


def test_more_workers_at_the_most_reach_the_running_cluster(gke: Release) -> None:
    rays = _rays(gke)
    gke.upgrade(_groups({"gpu": {"max": 12}}))
    (name,) = rays
    until("the RayCluster has them", lambda: gke.clusters()[name]["spec"]["workerGroupSpecs"][0]["maxReplicas"] == 12, REACHED_S)
    gke.settled()
    assert _rays(gke) == rays


def test_a_worker_group_added_last_joins_the_running_cluster(gke: Release) -> None:
    rays = _rays(gke)
    gke.upgrade(_groups({"zone-b": GROUP}))
    (name,) = rays
    until("it is there", lambda: "zone-b" in [each["groupName"] for each in gke.clusters()[name]["spec"]["workerGroupSpecs"]], REACHED_S)
    gke.settled()
    assert _rays(gke) == rays


def test_a_worker_group_added_first_joins_it_too(gke: Release) -> None:
    rays = _rays(gke)
    gke.upgrade(_groups({"alpha": GROUP}))
    gke.settled()
    assert _rays(gke) == rays


def test_a_second_model_version_comes_beside_the_first(gke: Release) -> None:
    rays, gateways = _rays(gke), gke.names("gateway")
    green = {"workerGroups": {"gpu": {"min": 1, "max": 1}}}
    gke.upgrade({"inference": {"versions": {"green": green}}})
    gke.settled()
    after = _rays(gke)
    assert rays.items() <= after.items() and len(after) == len(rays) + 1
    assert gke.names("gateway") == gateways


def test_the_switch_to_it_rolls_gateways_only(gke: Release) -> None:
    rays, gateways = _rays(gke), gke.names("gateway")
    gke.upgrade({"inference": {"active": "green"}})
    gke.settled()
    assert _rays(gke) == rays and not gke.names("gateway") & gateways


def test_back_again_too(gke: Release) -> None:
    rays = _rays(gke)
    gke.upgrade({"inference": {"active": "blue"}})
    gke.settled()
    assert _rays(gke) == rays


def test_a_version_that_is_removed_leaves_the_other_alone(gke: Release) -> None:
    rays = _rays(gke)
    gke.upgrade({"inference": {"versions": {"green": None}}})
    until("its cluster is gone", lambda: len(gke.clusters()) < len(rays), 90)
    gke.settled()
    assert _rays(gke).items() <= rays.items()


def test_an_image_of_the_model_fills_a_second_cluster_then_the_first_goes(gke: Release) -> None:
    before = set(gke.clusters())
    gke.upgrade({"inference": {"versionDefaults": {"image": {"tag": "next"}}}})
    until("two clusters", lambda: len(gke.clusters()) == 2, REACHED_S)
    assert before <= set(gke.clusters())
    until("the first is gone", lambda: len(gke.clusters()) == 1, 120)
    gke.settled()
    assert not before & set(gke.clusters())
    assert len(look.ready(gke.pods(ray="worker"))) == 2


def test_migrations_that_fail_stop_the_upgrade_and_leave_nothing(gke: Release) -> None:
    """N7: nor does the Job stay, to migrate when its Secret comes."""
    before = gke.names()
    gke.upgrade({"database": {"secret": {"name": "absent"}}, "gateway": {"image": {"tag": "other"}}}, wants=False, timeout_s=15)
    until("its Job is gone", lambda: not gke.api.items("jobs", gke.namespace), REACHED_S)
    gke.settled()
    assert gke.names() == before


def test_the_redis_volume_is_another_size_only_where_that_can_be(empty: Release) -> None:
    """Either it is refused before anything happens, by name, or it is done."""
    empty.install(example("trial"))
    file = empty.written(empty.values | {"redis": {"inChart": {"enabled": True, "storage": "2Gi"}}})
    done = empty.cluster.helm("upgrade", NAME, str(CHART), "-f", str(file), "--namespace", empty.namespace)
    assert done.returncode == 0 or "redis: the volume of `inChart` is 1Gi" in done.stderr, done.stderr


@pytest.mark.parametrize("mode", ["keda", "hpa"])
def test_switching_autoscaling_on_keeps_the_gateways(own_cluster: Cluster, figures: dict[str, object], mode: str) -> None:
    with release(own_cluster) as found:
        found.ready(_light(GATEWAYS), {"gateway": {"replicas": 3}})
        with watching(lambda: gateways(found)) as seen:
            found.upgrade({"gateway": {"autoscaling": {"mode": mode, "min": 2, "max": 5}}})
            found.settled()
        figures["scale_on_gateways_min_ratio"] = min(seen.ratio(3), float(str(figures.get("scale_on_gateways_min_ratio", 1))))
        assert len(found.pods("gateway")) == 3 and seen.least >= 3


def test_a_fresh_installation_begins_with_the_autoscalers_least(empty: Release) -> None:
    empty.ready(_light(), {"gateway": {"autoscaling": {"mode": "keda", "min": 3}}})
    assert len(empty.pods("gateway")) == 3


def _light(*values: Object) -> Object:
    """Values of gateways alone, for a release beside the other, whose PriorityClass is the cluster's."""
    return merged(example("gke"), {"inference": {"mode": "standalone"}, "extraObjects": []}, *values)
