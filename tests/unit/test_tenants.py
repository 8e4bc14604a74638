"""Tenants and keys: made, checked, revoked; the file holds no key; two writers lose nothing."""

import argparse
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from a2serve.gateway import tenants as tenants_module
from a2serve.gateway.access import keys_cli
from a2serve.gateway.tenants import TenantFile, create_key, read_tenants, revoke_key


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "tenants.toml"


def test_a_key_opens_its_tenant_until_it_is_revoked(file: Path) -> None:
    key, made = create_key(file, "acme")
    other, _ = create_key(file, "globex")
    assert key.startswith(f"a2_{made.id}_")
    assert key not in file.read_text() and file.stat().st_mode & 0o077 == 0
    tenants = read_tenants(file)
    assert (tenants.owner(key).tenant, tenants.owner(other).tenant) == ("acme", "globex")  # type: ignore[union-attr]
    wrong = (key[:-1] + ("a" if key[-1] != "a" else "b"), key.replace(made.id, other.split("_")[1]), "", "a2__", "sk-123", key + "\n")
    assert [tenants.owner(attempt) for attempt in wrong] == [None] * len(wrong)
    revoke_key(file, made.id)
    assert revoke_key(file, made.id).revoked is not None
    assert read_tenants(file).owner(key) is None and read_tenants(file).owner(other) is not None
    with pytest.raises(ValueError, match="a2 keys list"):
        revoke_key(file, "nobody")


FULL_DISK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
from a2serve.gateway.access import keys_cli
sys.exit(keys_cli.main())
"""


def test_a_full_disk_leaves_the_file_as_it_was_and_nothing_beside_it(file: Path) -> None:
    create_key(file, "acme")
    before = file.read_text(), sorted(file.parent.iterdir())
    command = [sys.executable, "-c", FULL_DISK, "--file", str(file), "create", "globex"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode != 0 and "File too large" in ended.stderr
    assert (file.read_text(), sorted(file.parent.iterdir())) == before


def test_limits_written_by_hand_stay(file: Path) -> None:
    create_key(file, "acme")
    file.write_text(file.read_text().replace("max_sessions = 20", "max_sessions = 3"))
    create_key(file, "acme")
    assert read_tenants(file).limits("acme").max_sessions == 3
    assert read_tenants(file).limits("unlisted").max_sessions == 20


@pytest.mark.parametrize("name", ["", "Acme", "a:b", "a_b", "-a", "a" * 42, "a\n"])
def test_names_that_are_no_tenant(file: Path, name: str) -> None:
    with pytest.raises(ValueError, match="a tenant is named"):
        create_key(file, name)


@pytest.mark.parametrize("content", ["[[keys]]\nid = 'x'", "tenants = 3", "= =", "[tenants.a]\nmax_sesions = 1"])
def test_a_file_that_cannot_be_read_is_named(file: Path, content: str) -> None:
    file.parent.mkdir()
    file.write_text(content)
    with pytest.raises(ValueError, match=r"tenants\.toml"):
        read_tenants(file)


def test_a_running_gateway_notices_a_change(file: Path) -> None:
    tenants = TenantFile(file)
    assert tenants.content.keys == ()
    key, _ = create_key(file, "acme")
    time.sleep(1.05)
    assert tenants.content.owner(key) is not None


def test_a_broken_edit_leaves_the_running_gateway_as_it_was(file: Path) -> None:
    key, _ = create_key(file, "acme")
    tenants = TenantFile(file)
    good = file.read_text()
    file.write_text("= =")
    time.sleep(1.05)
    assert tenants.content.owner(key) is not None
    file.write_text(good + "\n# mended")
    time.sleep(1.05)
    assert tenants.content.owner(key) is not None


def test_a_file_that_is_gone_leaves_the_running_gateway_as_it_was(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenants_module, "RELOAD_S", 0.0)
    key, _ = create_key(file, "acme")
    tenants, kept = TenantFile(file), file.read_text()
    file.unlink()
    assert tenants.content.owner(key) and tenants.content.owner(key)
    other, _ = create_key(file, "globex")
    assert tenants.content.owner(key) is None and tenants.content.owner(other)
    file.write_text(kept)
    assert tenants.content.owner(key)


def test_a_change_is_seen_by_its_content(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same inode, length and time: as two writes within one tick of the clock."""
    monkeypatch.setattr(tenants_module, "RELOAD_S", 0.0)
    create_key(file, "acme")
    before, tenants = file.stat(), TenantFile(file)
    with file.open("r+") as opened:
        opened.write(file.read_text().replace("max_sessions = 20", "max_sessions = 99"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_ino, file.stat().st_mtime_ns, file.stat().st_size) == (before.st_ino, before.st_mtime_ns, before.st_size)
    assert tenants.content.limits("acme").max_sessions == 99


def test_a_volume_whose_links_are_swapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Secret of Kubernetes: the file is a link into `..data`, which is a link that is replaced."""
    monkeypatch.setattr(tenants_module, "RELOAD_S", 0.0)
    for name in ("..one", "..two"):
        (tmp_path / name).mkdir()
    key, made = create_key(tmp_path / "..one" / "tenants.toml", "acme")
    (tmp_path / "..two" / "tenants.toml").write_text((tmp_path / "..one" / "tenants.toml").read_text())
    (tmp_path / "..data").symlink_to("..one")
    (tmp_path / "tenants.toml").symlink_to("..data/tenants.toml")
    tenants = TenantFile(tmp_path / "tenants.toml")
    assert tenants.content.owner(key)
    revoke_key(tmp_path / "..two" / "tenants.toml", made.id)
    (tmp_path / "..new").symlink_to("..two")
    (tmp_path / "..new").replace(tmp_path / "..data")
    assert tenants.content.owner(key) is None


def test_writers_wait_for_each_other(file: Path) -> None:
    threads = [threading.Thread(target=create_key, args=(file, f"t{i}")) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(key.tenant for key in read_tenants(file).keys) == [f"t{i}" for i in range(8)]


def test_the_command(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    keys_cli.register(parser.add_subparsers())

    def a2(*words: str) -> tuple[int, str]:
        arguments = parser.parse_args(["keys", "--file", str(file), *words])
        return arguments.run(arguments), capsys.readouterr().out

    code, printed = a2("create", "acme")
    key = printed.strip()
    assert code == 0 and read_tenants(file).owner(key)
    key_id = key.split("_")[1]
    assert key_id in a2("list")[1] and "active" in a2("list")[1]
    assert a2("revoke", key_id)[0] == 0 and "revoked" in a2("list")[1]
    assert a2()[0] == 2
