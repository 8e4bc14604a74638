"""Terraform without a cloud: files are formatted (and so parse), what they name is declared, variables refuse what cannot be right."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.infra_files import INFRA

FOLDERS = sorted(path for path in (INFRA / "terraform").iterdir() if path.is_dir())
every_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
TERRAFORM = shutil.which("terraform") or shutil.which("tofu")
needs_terraform = pytest.mark.skipif(TERRAFORM is None, reason="neither terraform nor tofu is here")


@every_folder
def test_versions_are_pinned_and_variables_described_and_checked(folder: Path):
    versions = (folder / "versions.tf").read_text()
    assert re.search(r'required_version = ">= 1\.\d+\.0, < 2\.0\.0"', versions) and re.search(r'version = "~> \d+\.\d+\.\d+"', versions)
    for name, body in _blocks(folder / "variables.tf", "variable").items():
        assert "description" in body and "type" in body and "validation" in body and f"var.{name}" in body.split("validation", 1)[1], name
    assert all("description" in body for body in _blocks(folder / "outputs.tf", "output").values())


@every_folder
def test_what_is_named_is_declared_and_used(folder: Path):
    text = "\n".join(re.sub(r"^\s*#.*$", "", path.read_text(), flags=re.M) for path in folder.glob("*.tf"))
    declared = set(_blocks(folder / "variables.tf", "variable"))
    assert declared == set(re.findall(r"\bvar\.(\w+)", re.sub(r"validation \{.*?\n  \}", "", text, flags=re.S)))
    resources = {f"{kind}.{name}" for kind, name in re.findall(r'^resource "(\w+)" "(\w+)"', text, re.M)}
    used = set(re.findall(r"(?<![\w.])((?:google|aws)_\w+\.\w+)", re.sub(r"data\.\w+\.\w+", "", text)))
    assert used <= resources
    example = set(re.findall(r"^(\w+)\s*=", (folder / "example.tfvars").read_text(), re.M))
    assert example <= declared
    bodies = _blocks(folder / "variables.tf", "variable")
    without_default = {name for name, body in bodies.items() if not re.search(r"^  default\s+=", body, re.M)}
    assert without_default <= example


@every_folder
def test_pools_begin_at_zero_and_are_tainted(folder: Path):
    main = (folder / "main.tf").read_text()
    assert re.search(r"total_min_node_count = 0|min = 0", main)
    assert '"nvidia.com/gpu"' in main and re.search(r'effect\s+= "NO_SCHEDULE"', main)


@needs_terraform
@every_folder
def test_terraform_has_nothing_to_format(folder: Path):
    assert _terraform(folder, "fmt", "-check", "-diff").returncode == 0


@needs_terraform
@every_folder
def test_variables_take_the_example_and_refuse_what_cannot_be_right(folder: Path, tmp_path: Path):
    """By themselves: with the resources, terraform would fetch providers."""
    for name in ("variables.tf", "example.tfvars"):
        shutil.copy(folder / name, tmp_path)
    plan = ("plan", "-input=false", "-no-color", "-var-file=example.tfvars")
    good = _terraform(tmp_path, *plan)
    assert good.returncode == 0, good.stdout + good.stderr
    bad = _terraform(tmp_path, *plan, '-var=api_networks=["0.0.0.0/0"]', "-var=name=Not A Name")
    assert bad.returncode and bad.stderr.count("Invalid value for variable") == 2, bad.stderr


def _terraform(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    assert TERRAFORM
    return subprocess.run([TERRAFORM, *words], cwd=folder, capture_output=True, text=True)


def _blocks(path: Path, kind: str) -> dict[str, str]:
    """Bodies by name."""
    return dict(re.findall(rf'^{kind} "(\w+)" \{{\n(.*?)^\}}', path.read_text(), re.M | re.S))
