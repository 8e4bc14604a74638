"""The command line, `a2`: parses, calls the parts, reports. Importing it loads neither torch nor a model."""

from a2llm.cli.program import main

__all__ = ["main"]
