"""Splits a file of requirements/ for an image's build of torch. Runs while the image is built, with nothing installed.

    python torch_variant.py cuda|cpu|cu126|… FILE [SHA256]

Beside FILE it writes locked.txt, held to hashes, and for every variant but `cuda` torch.txt. The lock holds PyPI's torch with CUDA 13 and
its libraries. Other builds lie at PyTorch's own index; SHA256 is their wheel's, since no lock of ours can know it.
"""

import re
import sys
from pathlib import Path

INDEX = "https://download.pytorch.org/whl"
VARIANT = re.compile(r"cpu|cu\d{3}")
OF_CUDA = re.compile(r"(torch|triton|cuda-[a-z]+|nvidia-[a-z0-9-]+)==")  # torch itself, and what only its CUDA build needs
ENTRY = re.compile(r"^[^\s#].*(?:\n[ \t].*)*\n?", re.M)  # a package with the lines of its hashes


def split(text: str, variant: str, sha256: str = "") -> tuple[str, str]:
    """Splits a lock file into what stays locked and the requirements of torch (empty for `cuda`). Raises ValueError for an unknown
    variant."""
    if variant == "cuda":
        return text, ""
    if not VARIANT.fullmatch(variant):
        raise ValueError(f"VARIANT={variant}: there are cuda, cpu, and PyTorch's older CUDA builds such as cu126")
    version = re.search(r"^torch==([\w.]+)", text, re.M)
    if version is None:
        raise ValueError("there is no torch in the requirements")
    locked = "".join(entry for entry in ENTRY.findall(text) if not OF_CUDA.match(entry))
    held = f" --hash=sha256:{sha256}" if sha256 else ""
    return locked, f"--index-url {INDEX}/{variant}\ntorch=={version[1]}+{variant}{held}\n"


def main() -> None:
    """Splits the file that a Dockerfile names."""
    variant, file, sha256 = sys.argv[1], Path(sys.argv[2]), (sys.argv[3] if len(sys.argv) > 3 else "")
    try:
        locked, torch = split(file.read_text(), variant, sha256)
    except ValueError as error:
        sys.exit(f"{file.name}: {error}")
    file.with_name("locked.txt").write_text(locked)
    if torch:
        file.with_name("torch.txt").write_text(torch)


if __name__ == "__main__":
    main()
