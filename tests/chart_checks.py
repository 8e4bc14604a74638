"""All checks of the rendered chart, quick ones first. Tests run them on every profile, tests/bench/mutate_chart.py on a broken chart."""

from collections.abc import Callable

from chart_flows import flow_problems
from chart_graph import graph_problems
from chart_lifecycle import lifecycle_problems
from chart_metrics import metrics_problems
from chart_policy import policy_problems
from chart_ray import ray_problems
from chart_render import Rendered
from chart_schemas import schema_problems
from chart_settings import settings_problems

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
