"""files/cluster.py, as the hooks' Jobs run it: their own command and variables, against an API server that patches as RFC 6902 says."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from support.chart.render import Object, environment, rendered
from support.servers.gateway import free_port, process, valkey_command

NOBODY = "redis://127.0.0.1:1"
RAY = "/apis/ray.io/v1/namespaces/talk"


class Api(BaseHTTPRequestHandler):
    """Ray clusters by name, on the server. A deleted RayService takes its clusters along after two more looks, as a drain would."""

    server: Any

    def _respond(self, code: int, body: Any) -> None:
        text = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self) -> None:
        assert self.headers["Authorization"] == "Bearer secret"
        if self.path == f"{RAY}/rayservices":
            return self._respond(200, {"items": list(self.server.services.values())})
        if self.path == "/api/v1/namespaces/talk/pods?labelSelector=ray.io/node-type%3Dhead":
            self.server.heads = {name: looks - 1 for name, looks in self.server.heads.items() if looks}
            return self._respond(200, {"items": [head(name) for name in self.server.heads]})
        assert self.path == f"{RAY}/rayclusters"
        for name in [name for name, looks in self.server.going.items() if looks == 0]:
            del self.server.clusters[name], self.server.going[name]
        self.server.going = {name: looks - 1 for name, looks in self.server.going.items()}
        return self._respond(200, {"items": list(self.server.clusters.values())})

    def do_PATCH(self) -> None:
        assert self.headers["Content-Type"] == "application/json-patch+json"
        self.server.asked.append(self.path)
        kind, name = self.path.removeprefix(f"{RAY}/").split("/")[:2]
        cluster = self.server.clusters[name] if kind == "rayclusters" else self.server.services[name]
        for step in json.loads(self.rfile.read(int(self.headers["Content-Length"]))):
            *way, last = step["path"].strip("/").split("/")
            target: Any = cluster
            for part in way:
                target = target[int(part) if isinstance(target, list) else part]
            if step["op"] == "test" and target[last] != step["value"]:
                return self._respond(422, {"message": "test failed"})
            if step["op"] == "remove":
                del target[last]
            elif step["op"] != "test":
                target[last] = step["value"]
        return self._respond(200, cluster)

    def do_DELETE(self) -> None:
        self.server.asked.append(self.path)
        name = self.path.rpartition("/")[2]
        owners = {key: each["metadata"]["labels"]["ray.io/originated-from-cr-name"] for key, each in self.server.clusters.items()}
        going = {key: 2 for key, owner in owners.items() if owner == name}
        self.server.going |= going
        self._respond(200 if going else 404, {})

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing: the output is the hook's."""


def cluster(name: str, owner: str, *groups: tuple[str, int, int, int]) -> Object:
    specs = [{"groupName": group, "replicas": count, "minReplicas": low, "maxReplicas": high} for group, count, low, high in groups]
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "labels": {"ray.io/originated-from-cr-name": owner}},
        "spec": {"workerGroupSpecs": specs},
    }


def head(cluster: str) -> Object:
    return {"metadata": {"name": f"{cluster}-head", "labels": {"ray.io/cluster": cluster}}}


@pytest.fixture
def api() -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.clusters, server.services, server.going, server.heads, server.asked = {}, {}, {}, {}, []
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def run(name: str, api: Any, folder: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    """The container of a Job of profile `everything`: blue has gpu 2 to 3; green gpu 3 to 4, cpu 0 to 2."""
    for file, text in (("token", "secret"), ("namespace", "talk")):
        (folder / file).write_text(text)
    [container] = rendered("everything").one("Job", name)["spec"]["template"]["spec"]["containers"]
    written = {key: value for key, value in environment(container).items() if isinstance(value, str)}
    where = {"KUBERNETES_URL": f"http://127.0.0.1:{api.server_port}", "ACCOUNT_FOLDER": str(folder), "RAY_REDIS_ADDRESS": NOBODY}
    env = written | where | more
    command = [sys.executable, *container["command"][1:]]
    return subprocess.run(command, env=os.environ | env, capture_output=True, text=True, timeout=60)


def test_bounds_reach_running_clusters_and_nothing_else_changes(api: Any, tmp_path: Path) -> None:
    blue, green = "demo-a2llm-inference-blue", "demo-a2llm-inference-green"
    api.clusters = {
        each["metadata"]["name"]: each
        for each in (
            cluster("blue-1", blue, ("gpu", 2, 2, 9)),
            cluster("blue-2", blue, ("other", 1, 1, 1), ("gpu", 3, 2, 3)),
            cluster("green-1", green, ("cpu", 1, 1, 1), ("gpu", 4, 1, 9)),
            cluster("stranger", "somebody-else", ("gpu", 1, 1, 1)),
        )
    }
    done = run("bounds", api, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert api.asked == [f"{RAY}/rayclusters/blue-1", f"{RAY}/rayclusters/green-1"]
    left = {name: [tuple(group.values()) for group in each["spec"]["workerGroupSpecs"]] for name, each in api.clusters.items()}
    assert left == {
        "blue-1": [("gpu", 2, 2, 3)],
        "blue-2": [("other", 1, 1, 1), ("gpu", 3, 2, 3)],
        "green-1": [("cpu", 1, 0, 2), ("gpu", 4, 3, 4)],
        "stranger": [("gpu", 1, 1, 1)],
    }


def filling(active: str, pending: str, specs: dict[str, str], api: Any) -> Object:
    """A RayService between two clusters, with the hashes that KubeRay has noted at each cluster."""
    name = "demo-a2llm-inference-blue"
    for each, spec in specs.items():
        api.clusters[each] = cluster(each, name)
        api.clusters[each]["metadata"]["annotations"] = {"ray.io/hash-without-replicas-and-workers-to-delete": spec}
    status = {"activeServiceStatus": {"rayClusterName": active}, "pendingServiceStatus": {"rayClusterName": pending}}
    api.services[name] = {"metadata": {"name": name}, "status": status}
    return status


def test_a_rollback_leaves_no_third_cluster_like_the_active_one(api: Any, tmp_path: Path) -> None:
    status = filling("old", "third", {"old": "A", "stuck": "B", "third": "A"}, api)
    done = run("bounds", api, tmp_path)
    assert done.returncode == 0 and "third: forgotten, old is the same" in done.stdout, done.stdout + done.stderr
    assert status == {"activeServiceStatus": {"rayClusterName": "old"}}
    assert api.asked == [f"{RAY}/rayservices/demo-a2llm-inference-blue/status"]


@pytest.mark.parametrize("specs", [{"old": "A", "new": "B"}, {"old": "", "new": ""}])
def test_an_upgrade_that_is_meant_goes_on(api: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, specs: dict[str, str]) -> None:
    status = filling("old", "new", specs, api)
    done = run("bounds", api, tmp_path, SETTLE_S="3")
    assert done.returncode == 0 and status["pendingServiceStatus"] == {"rayClusterName": "new"} and api.asked == []


def test_farewell_waits_until_the_clusters_are_gone(api: Any, tmp_path: Path) -> None:
    api.clusters = {"blue-1": cluster("blue-1", "demo-a2llm-inference-blue"), "stranger": cluster("stranger", "somebody-else")}
    done = run("farewell", api, tmp_path)
    assert done.returncode == 0 and "waiting for blue-1" in done.stdout, done.stdout + done.stderr
    assert "keys in Redis are left to expire" in done.stdout, "an end does not fail for that"
    assert list(api.clusters) == ["stranger"]
    deleted = [f"{RAY}/rayservices/demo-a2llm-inference-{version}" for version in ("blue", "green")]
    assert api.asked == deleted, "one that is gone is no error"


def test_farewell_clears_what_its_clusters_have_in_redis_when_no_head_can_write_more(api: Any, tmp_path: Path) -> None:
    api.clusters = {"blue-1": cluster("blue-1", "demo-a2llm-inference-blue"), "stranger": cluster("stranger", "somebody-else")}
    api.heads = {"blue-1": 3, "stranger": 99}
    port = free_port()
    secret = {"RAY_REDIS_ADDRESS": f"redis://127.0.0.1:{port}", "REDIS_PASSWORD": "secret"}
    server = process([*valkey_command(port, tmp_path), "--requirepass", "secret"], port, tmp_path / "valkey.log")
    with server, Redis(port=port, password="secret", decode_responses=True) as redis:
        for key in ("RAYuid-blue-1@KV", "RAYuid-blue-1@JOB", "RAYuid-stranger@KV", "a2:session"):
            redis.set(key, 1)
        done = run("farewell", api, tmp_path, **secret)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "waiting for blue-1-head" in done.stdout and "stranger" not in done.stdout
        assert sorted(redis.scan_iter()) == ["RAYuid-stranger@KV", "a2:session"]


def test_a_refusal_is_told(api: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Api, "do_GET", lambda self: self._respond(403, {"message": "rayclusters is forbidden"}))
    done = run("bounds", api, tmp_path)
    assert done.returncode == 1 and "403" in done.stderr and "rayclusters is forbidden" in done.stderr


def test_each_hook_may_do_what_it_does_and_no_more() -> None:
    allowed = {
        name: sorted((rule["resources"][0], tuple(rule["verbs"])) for rule in rendered("everything").one("Role", name)["rules"])
        for name in ("bounds", "farewell")
    }
    assert allowed == {
        "bounds": [("rayclusters", ("list", "patch")), ("rayservices", ("list",)), ("rayservices/status", ("patch",))],
        "farewell": [("pods", ("list",)), ("rayclusters", ("list",)), ("rayservices", ("delete",))],
    }
    for name in allowed:
        binding, job = rendered("everything").one("RoleBinding", name), rendered("everything").one("Job", name)
        assert binding["subjects"][0]["name"] == job["spec"]["template"]["spec"]["serviceAccountName"] == f"demo-a2llm-{name}"
        assert binding["roleRef"]["name"] == f"demo-a2llm-{name}"
