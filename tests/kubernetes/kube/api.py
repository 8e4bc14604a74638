"""The Kubernetes API over HTTP, as far as the tests ask it. `kubectl proxy` does the logging in, so any kubeconfig will do."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from kube.processes import tied

Object = dict[str, Any]
CORE = "v1"
KINDS = {  # of what the tests read: group and version
    **dict.fromkeys(("pods", "secrets", "configmaps", "services", "persistentvolumeclaims", "serviceaccounts", "events"), CORE),
    **dict.fromkeys(("nodes", "namespaces", "persistentvolumes"), CORE),
    **dict.fromkeys(("deployments", "statefulsets", "replicasets"), "apps/v1"),
    "jobs": "batch/v1",
    "priorityclasses": "scheduling.k8s.io/v1",
    "poddisruptionbudgets": "policy/v1",
    "endpointslices": "discovery.k8s.io/v1",
    "networkpolicies": "networking.k8s.io/v1",
    "rayservices": "ray.io/v1",
    "rayclusters": "ray.io/v1",
    "externalsecrets": "external-secrets.io/v1",
}
CLUSTER_WIDE = ("nodes", "namespaces", "persistentvolumes", "priorityclasses")


class Refused(Exception):
    """Raised with the API server's words if it refuses a request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status, self.message = status, message


class Api:
    """One API server."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=60.0)
        self._served: dict[str, dict[str, Object]] = {}

    def ask(
        self,
        method: str,
        path: str,
        body: Object | list[Object] | None = None,
        kind: str = "application/json",
        query: dict[str, str] | None = None,
    ) -> tuple[Object, list[str]]:
        """The answer and the server's warnings. Raises Refused."""
        content = None if body is None else json.dumps(body)
        response = self._http.request(method, path, content=content, params=query, headers={"Content-Type": kind})
        found = response.json() if response.headers.get("content-type", "").startswith("application/json") else {"message": response.text}
        if response.status_code >= 300:
            raise Refused(response.status_code, found.get("message", ""))
        return found, re.findall(r'299 \S+ "((?:[^"\\]|\\.)*)"', ", ".join(response.headers.get_list("warning")))

    def path(self, kind: str, namespace: str = "", name: str = "") -> str:
        """kind as in KINDS."""
        version = KINDS[kind]
        within = f"/namespaces/{namespace}" if namespace and kind not in CLUSTER_WIDE else ""
        return f"{'/api/v1' if version == CORE else '/apis/' + version}{within}/{kind}" + (f"/{name}" if name else "")

    def items(self, kind: str, namespace: str = "", selector: str = "") -> list[Object]:
        query = {"labelSelector": selector} if selector else {}
        return self.ask("GET", self.path(kind, namespace), query=query)[0]["items"]

    def get(self, kind: str, namespace: str, name: str) -> Object:
        return self.ask("GET", self.path(kind, namespace, name))[0]

    def gone(self, kind: str, namespace: str, name: str) -> bool:
        try:
            self.get(kind, namespace, name)
        except Refused as refused:
            if refused.status != 404:
                raise
            return True
        return False

    def merge(self, path: str, body: Object) -> Object:
        """A merge patch."""
        return self.ask("PATCH", path, body, "application/merge-patch+json")[0]

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Deletes as kubectl does; an object that is gone is no error."""
        try:
            self.ask("DELETE", self.path(kind, namespace, name), {"propagationPolicy": "Background"})
        except Refused as refused:
            if refused.status != 404:
                raise

    def token(self, namespace: str, account: str, seconds: int = 43_200) -> str:
        """Token of a ServiceAccount."""
        wanted = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": seconds}}
        return self.ask("POST", f"{self.path('serviceaccounts', namespace, account)}/token", wanted)[0]["status"]["token"]

    def apply(self, thing: Object, namespace: str = "", dry_run: bool = False) -> list[str]:
        """Server-side, strictly: a field that the schema does not know is refused. Returns warnings."""
        version, name = thing["apiVersion"], thing["metadata"]["name"]
        base = "/api/v1" if version == CORE else f"/apis/{version}"
        served = self._resource(base, thing["kind"])
        # The objects of a release are written for another namespace; here is where they shall be.
        placed = {**thing, "metadata": {**thing["metadata"], "namespace": namespace}} if served["namespaced"] and namespace else thing
        within = f"/namespaces/{placed['metadata'].get('namespace', 'default')}" if served["namespaced"] else ""
        query = {"fieldManager": "tests", "force": "true", "fieldValidation": "Strict"} | ({"dryRun": "All"} if dry_run else {})
        return self.ask("PATCH", f"{base}{within}/{served['name']}/{name}", placed, "application/apply-patch+yaml", query)[1]

    def _resource(self, base: str, kind: str) -> Object:
        if kind not in self._served.get(base, {}):
            found = self.ask("GET", base)[0]["resources"]
            self._served[base] = {each["kind"]: each for each in found if "/" not in each["name"]}
        if kind not in self._served[base]:
            raise Refused(404, f"{base} has no {kind}")
        return self._served[base][kind]

    def apply_files(self, folder: Path) -> None:
        for file in sorted(folder.glob("*.yaml")):
            for thing in yaml.load_all(file.read_text(), yaml.CSafeLoader):
                if thing:
                    self.apply(thing)

    def close(self) -> None:
        self._http.close()


@contextmanager
def proxied(kubectl: str, environment: dict[str, str]) -> Iterator[Api]:
    """The API that the environment's kubeconfig names, on a free loopback port."""
    with subprocess.Popen(
        tied(kubectl, "proxy", "--port=0"), env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout
            said = re.search(r"127\.0\.0\.1:\d+", process.stdout.readline())
            assert said, "kubectl proxy did not start"
            api = Api(f"http://{said[0]}")
            yield api
            api.close()
        finally:
            process.terminate()
