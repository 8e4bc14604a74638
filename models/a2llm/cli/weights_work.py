"""The three actions of `a2 weights`."""

from collections.abc import Iterator
from pathlib import Path

from a2llm import weights
from a2llm.cli.progress import progress, working
from a2llm.cli.tables import print_table
from a2llm.weights import WEIGHTS, WeightsError

MB = 1_000_000
USER_AFFECT = "user_affect"


def show() -> None:
    """A table of what is there; nothing is read but names and sizes."""
    rows = [
        (w.name, w.role.split(":")[0], f"{w.package} {w.version}", _mb(w.size_bytes), w.licence, _state(w.name)) for w in WEIGHTS.values()
    ]
    for name, file in trained():
        there = file.is_file()
        state = "there" if there else "[red]missing[/]"
        rows.append((name, "trained here", str(file.parent), _mb(file.stat().st_size) if there else "", "Apache-2.0", state))
    print_table(("weights", "what", "from", "MB", "licence", "state"), rows)
    print(f"cache: {weights.cache_dir()}")


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / MB:.1f}"


def _state(name: str) -> str:
    try:
        weights.resolve(name)
    except WeightsError as error:
        return f"[red]{'missing' if not weights.replaced_by(name) else error}[/]"
    if own := weights.replaced_by(name):
        return f"replaced by {own}"
    if not WEIGHTS[name].converter:
        return "installed"
    return "installed, converted" if weights.converted(name) else "installed, not converted yet"


def trained() -> Iterator[tuple[str, Path]]:
    """Yields what was trained for this project, each with the file where it should lie."""
    from a2llm.components import FILES, model_folder
    from a2llm.listening.user_affect import DEFAULT_WEIGHTS

    yield from ((name, model_folder() / file) for name, file in FILES.items())
    yield USER_AFFECT, DEFAULT_WEIGHTS


def verify() -> None:
    """Hash everything. Raises WeightsError, CheckpointError or OSError at the first that is not as it should be."""
    with progress("verifying") as on_progress:
        steps = [*((name, None) for name in WEIGHTS), *trained()]
        for number, (name, file) in enumerate(steps):
            _verify_trained(name, file) if file else weights.verify(name)
            on_progress(number + 1, len(steps))
    replaced = [name for name in WEIGHTS if weights.replaced_by(name)]
    print(f"all {len(steps)} weights are intact" + (f" ({', '.join(replaced)}: your own, not compared)" if replaced else ""))


def _verify_trained(name: str, file: Path) -> None:
    from a2llm.checkpoint import load_component
    from a2llm.listening.user_affect import UserAffect

    if name == USER_AFFECT:  # older than the components' format; it checks its own layout
        UserAffect(file)
    else:
        load_component(file, name)


def convert() -> None:
    """Everything that would make the first answer slow: packages' weights, the int8 backbone, the renderer's kernels."""
    for name, weight in WEIGHTS.items():
        if weight.converter:
            with progress(f"converting the {weight.name}") as on_progress:
                weights.convert(name, on_progress)
        else:
            weights.resolve(name)
    _quantize()
    with working("compiling the renderer"):
        _draw_once()
    print(f"ready, in {weights.cache_dir()}")


def _quantize() -> None:
    """Build the backbone with the adapter that ships, as `A2LLM.load` will want it."""
    from a2llm.components import load_adapter
    from a2llm.language.runtime import Adapter, load_backbone

    file = dict(trained())["backbone_lora"]
    if not file.is_file():
        print(f"no adapter at {file} yet: the int8 language model is built when there is one")
        return
    with working("quantizing the language model"):
        lora, alpha, _ = load_adapter(file)
        load_backbone(weights.convert("backbone"), Adapter(lora, alpha))


def _draw_once() -> None:
    import numpy as np

    from a2llm.avatar.render import HeadRenderer
    from a2llm.rig import ARKIT61

    HeadRenderer("woman", 64, 64).render(np.zeros(ARKIT61.size, np.float32))
