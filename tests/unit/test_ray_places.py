"""Places of a node: each is one replica's, and is free again when the replica is gone, however it went."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from a2serve.inference.ray_places import NoPlace, take_place
from a2serve.inference.ray_settings import RaySettings

TAKE = """
import sys
from a2serve.inference.ray_places import take_place
print(take_place(sys.argv[1], "a", 1).number, flush=True)
sys.stdin.read()
"""


def test_each_place_is_taken_once(tmp_path: Path) -> None:
    first, second = take_place(str(tmp_path), "a", 2), take_place(str(tmp_path), "a", 2)
    assert (first.number, second.number) == (0, 1)
    assert take_place(str(tmp_path), "b", 1).number == 0
    with pytest.raises(NoPlace, match="all 2 places of a on this node are taken"):
        take_place(str(tmp_path), "a", 2)
    first.leave()
    assert take_place(str(tmp_path), "a", 2).number == 0


def test_a_killed_replica_leaves_its_place(tmp_path: Path) -> None:
    command, env = [sys.executable, "-c", TAKE, str(tmp_path)], os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as replica:
        assert replica.stdout is not None and replica.stdout.readline() == b"0\n"
        with pytest.raises(NoPlace):
            take_place(str(tmp_path), "a", 1)
        replica.kill()
        replica.wait()
        assert take_place(str(tmp_path), "a", 1, patience_s=5).number == 0


def test_there_is_a_place_for_every_triton() -> None:
    assert RaySettings(triton_urls="a:1, b:2,").triton_addresses == ("a:1", "b:2")
    assert RaySettings(triton_urls="a:1,b:2").places == 2
    assert RaySettings(replicas_max=3).places == 6
