"""Collects the figures of test targets in one JSON file: each adds its own, with the time, to what others have written there."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path


def add_figures(file: Path, target: str, figures: Mapping[str, object]) -> None:
    """Replaces those of the same names. Raises ValueError where the file holds something else than a JSON object."""
    known = json.loads(file.read_text()) if file.exists() else {}
    if not isinstance(known, dict):
        raise ValueError(f"{file} holds no JSON object")
    ended = {f"{target}_ended": datetime.now(UTC).isoformat(timespec="seconds")}
    file.write_text(json.dumps(known | dict(figures) | ended, indent=1, sort_keys=True) + "\n")
