"""The cache on disks as they are: private files, read-only folders, no room, folders of others."""

import logging
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from support.other_user import UID, image_folders, needs_root, run_as_user, without_writing

from a2llm import cache
from a2llm.cache import CacheError, build_once, cached

SIZE_BYTES = 3_000_000
IMPORT = "import traceback; from a2llm.cache import build_once"
BUILD = "print(build_once('thing', lambda f: (f / 'whole').write_text('x')))"


def write_weights(folder: Path) -> None:
    (folder / "below").mkdir(mode=0o700)
    save_file({"a": np.zeros(SIZE_BYTES, np.uint8)}, folder / "below" / "x.safetensors")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("this user may mount nothing")
    yield place
    subprocess.run(["umount", place], check=True)


def test_what_is_built_can_be_read_by_every_user(a2_home: Path) -> None:
    folder = build_once("thing", write_weights)
    modes = {path.relative_to(folder).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}
    assert modes == {".": 0o755, "below": 0o755, "below/x.safetensors": 0o644}


@pytest.mark.skipif(shutil.which("mount") is None, reason="no mount here")
def test_a_full_disk_names_the_setting_and_leaves_nothing(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A2_HOME", str(small_disk))
    with pytest.raises(CacheError, match=rf"no room in the cache folder {small_disk} .*A2_HOME.*No space left") as refused:
        build_once("thing", write_weights)
    assert isinstance(refused.value, OSError) and cached("thing") is None
    assert [path.name for path in small_disk.iterdir() if path.is_dir()] == []
    with pytest.raises(CacheError, match="A2_HOME"):  # a plain write finds the same end
        build_once("thing", lambda folder: (folder / "x").write_bytes(bytes(SIZE_BYTES)) and None)
    assert build_once("thing", lambda folder: (folder / "x").write_bytes(b"fits") and None).is_dir()


@pytest.mark.skipif(shutil.which("mount") is None, reason="no mount here")
def test_a_disk_that_is_full_before_we_begin_says_the_same(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A2_HOME", str(small_disk))
    with pytest.raises(OSError), (small_disk / "others").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    with pytest.raises(CacheError, match=r"no room in the cache folder .*\(0 MB free\).*A2_HOME"):
        build_once("thing", write_weights)


def test_a_home_that_is_no_folder_names_the_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("A2_HOME", str(tmp_path / "file"))
    with pytest.raises(CacheError, match=r"cannot be made .*set A2_HOME"):
        build_once("thing", write_weights)


def test_errors_of_the_build_stay_what_they_are(a2_home: Path) -> None:
    with pytest.raises(PermissionError, match="weights"):
        build_once("thing", lambda folder: (_ for _ in ()).throw(PermissionError(13, "no", "weights")))
    assert cached("thing") is None


@needs_root
def test_what_a_read_only_cache_lacks_is_made_among_temporary_files() -> None:
    with image_folders() as (home, temporary):
        without_writing(home)
        done = run_as_user(IMPORT, BUILD, home, temporary)
        spare = temporary / f"a2llm-{UID}"
        assert (done.returncode, done.stdout.strip()) == (0, str(spare / "thing")), done.stderr
        assert str(home) in done.stderr and "A2_HOME" in done.stderr and "Permission denied" in done.stderr
        assert stat.S_IMODE(spare.stat().st_mode) == 0o700
        again = run_as_user(IMPORT, BUILD, home, temporary)
        assert (again.stdout, again.stderr) == (done.stdout, "")
        assert list(home.iterdir()) == []


@needs_root
def test_where_nothing_can_be_written_both_folders_are_named() -> None:
    with image_folders() as (home, temporary):
        without_writing(home)
        (spare := temporary / f"a2llm-{UID}").mkdir()
        done = run_as_user(IMPORT, BUILD, home, temporary)
        said = done.stderr.splitlines()[-1]
        assert done.returncode == 1 and f"neither the cache folder {home} (Permission denied) nor {spare} (" in said and "A2_HOME" in said


@needs_root
def test_a_folder_that_another_user_laid_is_not_read(tmp_path: Path, a2_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path))
    spare = tmp_path / f"a2llm-{os.getuid()}"
    (spare / "thing").mkdir(parents=True)
    spare.chmod(0o700)
    assert cached("thing") == spare / "thing"
    spare.chmod(0o777)
    assert cached("thing") is None
    spare.chmod(0o700)
    os.chown(spare, UID, UID)
    assert cached("thing") is None


def test_a_writable_cache_says_nothing(a2_home: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert build_once("thing", lambda folder: (folder / "x").touch()).parent == a2_home
    assert caplog.records == []
