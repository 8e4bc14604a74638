"""Writes avatar_pb2.py, avatar_pb2.pyi and avatar_pb2_grpc.py from avatar.proto: `python -m a2serve.contracts.proto.generate`.

Needs grpcio-tools (development only); the result is committed, and a test compares it with a fresh run.
"""

import sys
from importlib.resources import files
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = "a2serve/contracts/proto/avatar.proto"


def generate(out: Path) -> None:
    """Write the modules below `out`, in the folders of their package. Raises RuntimeError when protoc refuses."""
    from grpc_tools import protoc

    well_known = str(files("grpc_tools") / "_proto")
    targets = [f"--{kind}_out={out}" for kind in ("python", "pyi", "grpc_python")]
    if protoc.main(["protoc", f"-I{HERE.parents[2]}", f"-I{well_known}", *targets, SOURCE]):
        raise RuntimeError("protoc failed: its messages are above")


if __name__ == "__main__":
    generate(HERE.parents[2])
    print(f"written beside {HERE / 'avatar.proto'}", file=sys.stderr)
