"""Opens the model for a command and says what it is doing meanwhile. The first time ever, that includes converting weights."""

from a2llm import weights
from a2llm.api import A2LLM, load_parts
from a2llm.cli.progress import progress, working
from a2llm.engine import Engine
from a2llm.evaluation.timing import Stopwatch, timed_parts
from a2llm.language.chat import find_persona


def open_model(persona: str) -> tuple[A2LLM, Stopwatch]:
    """The model, ready to answer, and the watch on its parts. Raises WeightsError, CheckpointError, or ValueError for
    an unknown persona."""
    if not ready("backbone"):
        with progress("converting the language model (once)") as on_progress:
            weights.convert("backbone", on_progress)
    with working("loading the language model, the voice and the face"):
        watch, chosen = Stopwatch(), find_persona(persona)
        a2 = A2LLM(Engine(timed_parts(load_parts(), watch)), chosen)
    return a2, watch


def ready(name: str) -> bool:
    """Whether these weights need no conversion, or have it behind them."""
    own = weights.replaced_by(name)
    return bool((own and own.is_dir()) or not weights.WEIGHTS[name].converter or weights.converted(name))
