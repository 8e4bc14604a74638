"""Every training run of this project by name. A recipe is a complete configuration and the function that runs it.

`configs` holds the configurations, `runs` runs them, `debug` is the same in small: each under a minute on one core.
Listing recipes loads no torch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name

from a2llm.recipes.job import Job, Progress

__all__ = ["RECIPES", "Job", "Progress", "Recipe", "find_recipe", "train"]


@dataclass(frozen=True)
class Recipe:
    """describe: one line for people. run(job) trains and returns held-out figures. small: a debug variant, which builds the
    little data it needs.

    Called again, it goes on where it stopped; audio_codec and user_affect, which fit in one go, are done again.
    """

    describe: str
    run: Callable[[Job], dict[str, float]]
    small: bool = False


def _later(entry: str) -> Callable[[Job], dict[str, float]]:
    """The function `module:name`, imported when it is called."""
    return lambda job: resolve_name(entry)(job)


_WHOLE = {
    "backbone": "stage 0: LoRA on SmolLM2 for spoken responses, and the affect head; on all it learns to say (hours of 2 cores)",
    "audio_codec": "fit the audio codec on the teacher's speech of a data set (5 minutes)",
    "motion_codec": "train the causal RVQ-VAE on a data set's motion (4 minutes)",
    "talker": "stage 1: talker and Motion Connector on the frozen backbone; needs a data set with hidden states (hours)",
    "face_of_sound": "a talker that sees only the sound, which `a2 evaluate proof` compares with; on the same data set (hours)",
    "user_affect": "how the user sounds: a small head on prosody; --data is a folder made by python -m a2llm.data.user_voices speak",
    "motion_judge": "the judge of meaning that `a2 evaluate proof` uses; on a data set's annotated responses (10 minutes)",
    "affect_classifier": "the judge of masked faces that `a2 evaluate face` uses (2 minutes)",
}
RECIPES: dict[str, Recipe] = {name: Recipe(text, _later(f"a2llm.recipes.runs:{name}")) for name, text in _WHOLE.items()}
for _name in _WHOLE:
    RECIPES[f"{_name}_debug"] = Recipe(f"{_name}, tiny, on data it makes itself", _later(f"a2llm.recipes.debug:{_name}"), True)
_VOICES = (
    "the teacher of several voices: clips of Kokoro (models/weights/teacher.txt), then the net in its generator's place (half an hour)"
)
RECIPES["voice_net"] = Recipe(_VOICES, _later("a2llm.recipes.voices:voice_net"))
_ALL = "all of the tiny ones in order, under a minute: does training work here?"
RECIPES["debug"] = Recipe(_ALL, _later("a2llm.recipes.debug:everything"), True)


def find_recipe(name: str) -> Recipe:
    """Raises ValueError that lists the known ones."""
    if name not in RECIPES:
        raise ValueError(f"unknown recipe {name!r}: choose one of {', '.join(RECIPES)}")
    return RECIPES[name]


def train(name: str, job: Job) -> dict[str, float]:
    """Run a recipe, draw the loss curves it left in `job.out`, and return its figures."""
    from a2llm.recipes.curves import draw_curves

    recipe = find_recipe(name)
    job.out.mkdir(parents=True, exist_ok=True)
    try:
        return recipe.run(job)
    finally:
        draw_curves(job.out)


def default_folders(name: str) -> tuple[Path, Path]:
    """Folders that a recipe reads and writes by default: (data, out)."""
    out = Path("runs") / ("debug" if find_recipe(name).small else "default")
    return (out / "data" if find_recipe(name).small else Path("datasets") / "default"), out
