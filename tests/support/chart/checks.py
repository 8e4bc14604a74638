"""All checks of the rendered chart, quick ones first. Tests run them on every profile, tests/bench/mutate_chart.py on a broken chart."""

from collections.abc import Callable

from support.chart.flows import flow_problems
from support.chart.graph import graph_problems
from support.chart.lifecycle import lifecycle_problems
from support.chart.metrics import metrics_problems
from support.chart.policy import policy_problems
from support.chart.ray import ray_problems
from support.chart.render import Rendered
from support.chart.schemas import schema_problems
from support.chart.settings import settings_problems

Check = Callable[[Rendered], list[str]]
CHECKS: tuple[Check, ...] = (
    policy_problems,
    graph_problems,
    lifecycle_problems,
    metrics_problems,
    settings_problems,
    ray_problems,
    flow_problems,
    schema_problems,
)
