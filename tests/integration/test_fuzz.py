"""A short `make fuzz`: requests made from the OpenAPI document are answered as it says."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))

from fuzz import fuzz_own


def test_answers_are_as_the_document_says(tmp_path: Path) -> None:
    assert fuzz_own(tmp_path, examples=6, seed=1) == []
