"""Writes *_pb2.py, *_pb2.pyi and *_pb2_grpc.py from the .proto files here: `python -m a2serve.contracts.proto.generate`.

Needs grpcio-tools (development only); the result is committed, and a test compares it with a fresh run.
"""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

HERE = Path(__file__).parent
PACKAGE = "a2serve/contracts/proto"
WITH_SERVICE, MESSAGES_ONLY = "avatar", "engine"


def generate(out: Path) -> None:
    """Write the modules below `out`, in the folders of their package. Raises RuntimeError when protoc refuses."""
    _protoc(out, ("python", "pyi"), (WITH_SERVICE, MESSAGES_ONLY))
    _protoc(out, ("grpc_python",), (WITH_SERVICE,))


def _protoc(out: Path, kinds: tuple[str, ...], names: tuple[str, ...]) -> None:
    well_known = str(files("grpc_tools") / "_proto")
    options = [f"-I{HERE.parents[2]}", f"-I{well_known}", *(f"--{kind}_out={out}" for kind in kinds)]
    sources = [f"{PACKAGE}/{name}.proto" for name in names]
    if subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *options, *sources]).returncode:
        raise RuntimeError("protoc failed: its messages are above")


if __name__ == "__main__":
    generate(HERE.parents[2])
    print(f"written beside the .proto files in {HERE}", file=sys.stderr)
