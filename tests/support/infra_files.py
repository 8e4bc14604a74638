"""Reads what the tests of infra/ need: its files, the settings of the services, the metrics that exist."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic_settings import BaseSettings

from a2serve.gateway.settings import GatewaySettings
from a2serve.inference.ray_settings import RaySettings
from a2serve.inference.settings import InferenceSettings
from a2serve.recorder.settings import RecorderSettings
from a2serve.telemetry import names

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
IMAGES = ("gateway", "inference", "recorder", "triton")
SETTINGS: dict[str, tuple[type[BaseSettings], ...]] = {
    "gateway": (GatewaySettings,),
    "recorder": (RecorderSettings,),
    "inference": (InferenceSettings, RaySettings),
    "triton": (InferenceSettings,),
}
BESIDE = {"A2_TENANTS_FILE", "A2_HOME"}  # read elsewhere: tenants, cache


def load(path: str) -> Any:
    """A YAML file below the repository."""
    return yaml.safe_load((ROOT / path).read_text())


def variables(image: str) -> set[str]:
    """The environment that the programs of an image read."""
    return BESIDE | {f"{kind.model_config['env_prefix']}{name}".upper() for kind in SETTINGS[image] for name in kind.model_fields}


@cache
def rules() -> list[dict[str, Any]]:
    """Every rule of infra/observability/rules."""
    files = sorted((INFRA / "observability" / "rules").glob("*.yaml"))
    return [rule for file in files for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]


def unknown_metrics(query: str) -> set[str]:
    """Series of a PromQL query that neither a service shows nor a rule records."""
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    shown = {value for name, value in vars(names).items() if name.startswith("METRIC_")}
    found = set(re.findall(r"\ba2[:_][a-z0-9_:]+", query))
    return {name for name in found if name not in recorded and re.sub(r"_(bucket|sum|count|total)$", "", name) not in shown}


def unknown_labels(query: str) -> set[str]:
    """Labels that no series has."""
    ours = {value for name, value in vars(names).items() if name.startswith("LABEL_")} | {"le", "slo", "model"}
    # Of scraping, and of other exporters.
    others = {"namespace", "pod", "container", "name", "condition", "NodeType", "proxy", "Hostname", "gpu", "UUID"}
    selected = re.findall(r"[{,]\s*(\w+)\s*(?:=~|!~|!=|=)", query)
    grouped = re.findall(r"(?:by|on)\s*\(([^)]*)\)", query)
    return {label for label in (*selected, *(name.strip() for names_ in grouped for name in names_.split(","))) if label} - ours - others
