"""etcd, API server, controller manager and scheduler on 127.0.0.1, with an empty store in a folder of their own."""

import secrets
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from a2serve.local.ports import free_ports
from kube.processes import running, until
from kube.programs import PROGRAMS

USERS = {"admin": "system:masters", "system:kube-controller-manager": "", "system:kube-scheduler": ""}
KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: tests, cluster: {{server: "https://127.0.0.1:{port}", certificate-authority: {certificate}}}}}]
users: [{{name: me, user: {{token: "{token}"}}}}]
contexts: [{{name: tests, context: {{cluster: tests, user: me}}}}]
current-context: tests
"""


def kubeconfig(folder: Path, port: int, name: str, token: str) -> Path:
    file = folder / f"{name.removeprefix('system:')}.conf"
    file.write_text(KUBECONFIG.format(port=port, certificate=folder / "api.crt", token=token))
    file.chmod(0o600)
    return file


@contextmanager
def control_plane(folder: Path) -> Iterator[tuple[Path, int]]:
    """Its administrator's kubeconfig and its port. What it writes is below `folder`."""
    client, peer, port, manager, scheduler = free_ports(5)
    _keys(folder)
    configs = _users(folder, port)
    with ExitStack() as stack:

        def start(name: str, *flags: str) -> None:
            stack.enter_context(running(name, str(PROGRAMS[name].file), *flags, log=folder))

        start("etcd", *_etcd(folder, client, peer))
        until("etcd is healthy", lambda: _healthy(f"http://127.0.0.1:{client}/health"), 60)
        start("kube-apiserver", *_api_server(folder, client, port))
        admin = {"Authorization": f"Bearer {(folder / 'tokens.csv').read_text().split(',')[0]}"}
        until("the API server is ready", lambda: _healthy(f"https://127.0.0.1:{port}/readyz", folder / "api.crt", admin), 180)
        common = ("--bind-address=127.0.0.1", "--leader-elect=false", "--profiling=false")
        start(
            "kube-controller-manager",
            f"--kubeconfig={configs['system:kube-controller-manager']}",
            f"--secure-port={manager}",
            *common,
            "--use-service-account-credentials",
            f"--service-account-private-key-file={folder / 'api.key'}",
            f"--root-ca-file={folder / 'api.crt'}",
        )
        start("kube-scheduler", f"--kubeconfig={configs['system:kube-scheduler']}", f"--secure-port={scheduler}", *common)
        yield configs["admin"], port


def _keys(folder: Path) -> None:
    """One key: the server's certificate, which is its own authority, and the signature of ServiceAccounts' tokens."""
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            "api.key",
            "-out",
            "api.crt",
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )


def _users(folder: Path, port: int) -> dict[str, Path]:
    """Kubeconfigs by user; the server reads their tokens."""
    tokens = {user: secrets.token_hex(16) for user in USERS}
    lines = [f"{token},{user},{user}" + (f',"{USERS[user]}"' if USERS[user] else "") for user, token in tokens.items()]
    (folder / "tokens.csv").write_text("\n".join(lines) + "\n")
    (folder / "tokens.csv").chmod(0o600)
    return {user: kubeconfig(folder, port, user, token) for user, token in tokens.items()}


def _etcd(folder: Path, client: int, peer: int) -> list[str]:
    at, between = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    return [
        "--name=tests",
        f"--data-dir={folder / 'etcd'}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={at}",
        f"--advertise-client-urls={at}",
        f"--listen-peer-urls={between}",
        f"--initial-advertise-peer-urls={between}",
        f"--initial-cluster=tests={between}",
        "--log-level=warn",
    ]


def _api_server(folder: Path, etcd: int, port: int) -> list[str]:
    key, certificate = folder / "api.key", folder / "api.crt"
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        # A loopback address may not be an endpoint of the Service `kubernetes`.
        "--endpoint-reconciler-type=none",
        f"--tls-cert-file={certificate}",
        f"--tls-private-key-file={key}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=Node,RBAC",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--profiling=false",
    ]


def _healthy(url: str, certificate: Path | None = None, headers: dict[str, str] | None = None) -> bool:
    try:
        verify = ssl.create_default_context(cafile=certificate) if certificate else True
        return httpx.get(url, headers=headers, verify=verify, trust_env=False, timeout=5).is_success
    except httpx.TransportError:
        return False
