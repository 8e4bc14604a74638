"""The page repeats two lists of ours: coefficient names of arkit61, and its spans. This keeps them equal."""

import json
import re
from pathlib import Path

from a2llm.rig import ARKIT61
from a2serve.telemetry import names

WEB = Path(__file__).resolve().parents[2] / "services" / "web" / "src"


def test_coefficients_of_arkit61_are_those_of_the_rig() -> None:
    assert tuple(json.loads((WEB / "motion" / "arkit61.json").read_text())) == ARKIT61.names


def test_spans_of_the_page_are_those_of_telemetry_names() -> None:
    repeated = dict(re.findall(r'export const (\w+) = "([^"]+)"', (WEB / "telemetry" / "names.ts").read_text()))
    assert repeated
    assert repeated == {name: getattr(names, name) for name in repeated}
