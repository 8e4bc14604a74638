"""docs/kubernetes.md from its first command to its last, as an operator types them, each in the state that the ones before have left."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kube import look
from kube.cluster import Cluster
from kube.handbook import Block, blocks, not_run
from kube.nodes import add_volumes, remove_volumes
from kube.processes import until
from kube.programs import PROGRAMS
from kube.release import Release, wipe
from kube.watch import Watch, reached
from support.chart.render import ROOT, Object

BLOCKS = blocks()
NAMESPACE, TRIAL = "a2llm", "a2llm-trial"
COMMAND_S, SETTLED_S = 300, 120
SPOKEN = {"REDIS_PASSWORD": "x", "DATABASE_URL": "x", "READONLY_URL": "x"}  # what an operator has in the shell


@dataclass
class Desk:
    """The operator's folder with the repository's files, and a kubeconfig of its own."""

    release: Release
    folder: Path
    environment: dict[str, str]
    watch: Watch | None = None
    workers: int = 0  # before
    kept: float = 0.0

    def run(self, block: Block) -> None:
        """Every command must go well. Raises AssertionError with what was said."""
        words = ("timeout", str(COMMAND_S), "bash", "-euxo", "pipefail", "-c", block.text)
        done = self.release.cluster.run(*words, within_s=COMMAND_S + 10, cwd=self.folder, environment=self.environment)
        assert done.returncode == 0, f"{block.section}\n{block.text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


@pytest.fixture(scope="module")
def desk(own_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    _quick(Path(shutil.copytree(ROOT / "charts", folder / "charts")) / "a2llm" / "values.yaml")
    shutil.copytree(ROOT / "infra" / "terraform", folder / "infra" / "terraform")
    config = shutil.copyfile(own_cluster.environment["KUBECONFIG"], folder / "kubeconfig")
    programs = [PROGRAMS["kubectl"].file.parent, PROGRAMS["helm"].file.parent, Path(sys.executable).parent]
    path = os.pathsep.join([*map(str, programs), own_cluster.environment["PATH"]])
    environment = own_cluster.environment | SPOKEN | {"KUBECONFIG": str(config), "PATH": path}
    for namespace in (NAMESPACE, TRIAL):
        add_volumes(own_cluster.api, namespace)
    found = Desk(Release(own_cluster, NAMESPACE, folder), folder, environment)
    yield found
    if found.watch:
        found.watch.stop()
    for namespace in (NAMESPACE, TRIAL):
        if own_cluster.api.gone("namespaces", "", namespace):
            remove_volumes(own_cluster.api, namespace)
        else:
            wipe(own_cluster, namespace)


def _quick(values: Path) -> None:
    """The one thing that is not the operator's: a Ray cluster that was replaced goes after ten seconds and not after two minutes."""
    text = values.read_text()
    assert "deleteOldAfterSeconds: 120" in text
    values.write_text(text.replace("deleteOldAfterSeconds: 120", "deleteOldAfterSeconds: 10"))


def _stuck(desk: Desk) -> None:
    """Another image while nobody has a GPU left: the pools' nodes take no new pod."""
    api = desk.release.api
    for node in api.items("nodes"):
        if "nvidia.com/gpu" in node["status"]["allocatable"]:
            api.merge(api.path("nodes", name=node["metadata"]["name"]), {"spec": {"unschedulable": True}})
    block = next(block for block in BLOCKS if block.section == "Another image or setting")
    text = (
        block.text.replace("0.2.1", "0.2.2").replace("UpgradeInProgress=False", "UpgradeInProgress=True").replace("now.yaml", "stuck.yaml")
    )
    desk.run(Block("It is stuck", text))


def _nodes_again(desk: Desk) -> None:
    api = desk.release.api
    for node in api.items("nodes"):
        if node["spec"].get("unschedulable"):
            api.merge(api.path("nodes", name=node["metadata"]["name"]), {"spec": {"unschedulable": None}})


def _one_cluster(desk: Desk) -> None:
    until("one Ray cluster is left", lambda: len(desk.release.clusters()) == 1, SETTLED_S)


def _rolled_back(desk: Desk) -> None:
    """To the image from before, without one more start of a worker."""
    until("one Ray cluster is left", lambda: len(desk.release.clusters()) == 1, 2 * SETTLED_S)
    (cluster,) = desk.release.clusters().values()
    assert all(image.endswith(":0.2.1") for image in _images(cluster)), _images(cluster)
    _nodes_again(desk)


def _images(cluster: Object) -> list[str]:
    return [each["image"] for each in cluster["spec"]["headGroupSpec"]["template"]["spec"]["containers"] if each["name"] == "ray-head"]


def _left(desk: Desk) -> None:
    until("the namespace is gone", lambda: desk.release.api.gone("namespaces", "", NAMESPACE), 60)


def _workers_seen(desk: Desk) -> None:
    """While the model is updated, and its image: never fewer than before."""
    desk.workers, desk.watch = reached(desk.release), Watch(lambda: reached(desk.release))
    desk.watch.start()


def _workers_kept(desk: Desk) -> None:
    assert desk.watch
    desk.watch.stop()
    desk.kept = desk.watch.ratio(desk.workers)
    assert desk.workers >= 2 and desk.kept >= 1


def _kept_then_stuck(desk: Desk) -> None:
    _workers_kept(desk)
    _stuck(desk)


BEFORE: dict[str, Callable[[Desk], None]] = {"I must update the model": _workers_seen, "It is stuck": _kept_then_stuck}
AFTER: dict[str, Callable[[Desk], None]] = {"Another image or setting": _one_cluster, "Roll back": _rolled_back, "I leave": _left}


def _name(block: Block) -> str:
    return f"{block.section}: {block.commands[0][:40]}"


def test_every_command_is_run_or_has_a_reason_why_not() -> None:
    """And a block is the one or the other."""
    reasons, commands = not_run(), {command for block in BLOCKS for command in block.commands}
    assert reasons.keys() <= commands, reasons.keys() - commands
    assert all(reasons.values()) and all(len({command in reasons for command in block.commands}) == 1 for block in BLOCKS)


@pytest.mark.timeout(3000)
def test_the_handbook_holds(desk: Desk, figures: dict[str, object]) -> None:
    """One test: every section stands on the one before."""
    reasons, ran, began = not_run(), 0, ""
    figures["docs_commands_not_run"] = len(reasons)
    figures["docs_commands_not_run_reasons"] = reasons
    for place, block in enumerate(BLOCKS):
        if set(block.commands) <= reasons.keys():
            continue
        if block.section != began and block.section in BEFORE:
            BEFORE[block.section](desk)
        began = block.section
        print(_name(block), flush=True)
        desk.run(block)
        ran += len(block.commands)
        figures["docs_commands_run"] = ran
        if block.section in AFTER and all(later.section != block.section for later in BLOCKS[place + 1 :]):
            AFTER[block.section](desk)
        if block.section not in ("It is stuck", "I leave"):
            _quiet(desk)
    figures["docs_update_min_replicas_ratio"] = desk.kept


def _quiet(desk: Desk) -> None:
    """All that shall run runs, before an operator would go on."""
    release = desk.release
    if not release.api.gone("namespaces", "", NAMESPACE) and not look.paused(release.api, NAMESPACE):
        release.settled()
