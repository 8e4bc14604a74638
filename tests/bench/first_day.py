"""`make first-day JSON=FILE`: what a first day on a cluster shows, counted from the real parts that this machine has. Flat JSON.

    findings_A_open, findings_B_open     rows of docs/kubernetes.md "Findings" that are neither mended nor refused
    postgres_tests_passed                tests of the recorder and its migrations on PostgreSQL
    alerts, alerts_tested                alerts, and those that promtool saw fire and stay silent
    dashboard_queries, ..._without_data  asked of a Prometheus that scrapes the running product
    kafka_tests_passed                   make test-kafka (Java and Maven)
    kubernetes_objects_admitted, ..._rejected, examples_installed, upgrade_steps_passed      make test-kubernetes (a cluster, or Go)

What cannot run here is left out, and the exit status is 1. The file is written again after each step.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.findings_table import left_open, rows  # noqa: E402 - of the folder just named
from support.infra_files import rules  # noqa: E402

Figures = dict[str, float]
KUBERNETES = ("kubernetes_objects_admitted", "kubernetes_objects_rejected", "examples_installed", "upgrade_steps_passed")


def findings(_: Path) -> Figures:
    counted = left_open(rows())
    return {name: counted[name] for name in ("findings_A_open", "findings_B_open")}


def postgres(folder: Path) -> Figures:
    return {"postgres_tests_passed": len(_passed(folder, "-k", "postgres", "tests/unit", "tests/integration"))}


def alerts(folder: Path) -> Figures:
    """An alert counts where its case ran and passed."""
    passed = _passed(folder, "tests/contract/infra/test_observability.py")
    tested = [name for name in passed if name.startswith("test_an_alert_fires_when_it_should_and_not_before")]
    return {"alerts": sum("alert" in rule for rule in rules()), "alerts_tested": len(tested)}


def dashboards(folder: Path) -> Figures:
    _passed(folder, "tests/e2e/test_dashboards.py")
    properties = {each.get("name"): each.get("value") for each in _junit(folder).iter("property")}
    names = ("dashboard_queries", "dashboard_queries_without_data")
    return {name: int(properties[name]) for name in names if name in properties}  # type: ignore[arg-type]


def kafka(folder: Path) -> Figures:
    return _made("test-kafka", folder, ("kafka_tests_passed",))


def kubernetes(folder: Path) -> Figures:
    return _made("test-kubernetes", folder, KUBERNETES)


STEPS: dict[str, Callable[[Path], Figures]] = {
    "findings": findings,
    "alerts": alerts,
    "postgres": postgres,
    "dashboards": dashboards,
    "kafka": kafka,
    "kubernetes": kubernetes,
}


def _passed(folder: Path, *chosen: str) -> list[str]:
    """The names of the tests that ran and passed."""
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={folder / 'junit.xml'}", *chosen]
    subprocess.run(command, cwd=ROOT, stdout=sys.stderr)
    return [case.get("name", "") for case in _junit(folder).iter("testcase") if len(case.findall("*")) == len(case.findall("properties"))]


def _junit(folder: Path) -> ElementTree.Element:
    return ElementTree.parse(folder / "junit.xml").getroot()  # our own pytest wrote it


def _made(target: str, folder: Path, names: tuple[str, ...]) -> Figures:
    """Runs a make target and returns its figures; nothing if it could not run."""
    file = folder / f"{target}.json"
    subprocess.run(["make", target, f"JSON={file}"], cwd=ROOT, stdout=sys.stderr)
    counted = json.loads(file.read_text()) if file.exists() else {}
    return {name: counted[name] for name in names if name in counted}


def main() -> int:
    """The exit status: 0 where every step gave its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=Path("bench-first-day.json"), help="where the figures go")
    parser.add_argument("--only", default=",".join(STEPS), help=f"some of {', '.join(STEPS)}")
    options = parser.parse_args()
    figures: Figures = {}
    missing: list[str] = []
    for step in options.only.split(","):
        print(f"{step} ...", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="a2-first-day-") as folder:
            found = STEPS[step](Path(folder))
        figures |= found
        missing += [] if found else [step]
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))
    if missing:
        print(f"could not run here: {', '.join(missing)}", file=sys.stderr)
    return bool(missing)


if __name__ == "__main__":
    sys.exit(main())
