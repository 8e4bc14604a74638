"""A2-LLM: one fused model that answers with text, voice and face motion on one clock."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from a2llm.api import A2LLM
    from a2llm.messages import StepOutput

__all__ = ["A2LLM", "StepOutput"]


def __getattr__(name: str) -> Any:  # torch loads only when the model is asked for
    if name == "A2LLM":
        from a2llm.api import A2LLM

        return A2LLM
    if name == "StepOutput":
        from a2llm.messages import StepOutput

        return StepOutput
    if name == "__version__":
        from importlib.metadata import version

        return version("a2llm-serve")
    raise AttributeError(name)
