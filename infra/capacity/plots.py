"""Draws the plots of docs/capacity.md."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from capacity.crowd import Minutes
from capacity.inputs import Hardware
from capacity.recommend import MOST_REFUSED_PCT, Row

_SOFT, _STRONG, _WARN = "#9aa7b5", "#1f5fa8", "#c2452d"


def draw_day(path: Path, title: str, minutes: Minutes, hardware: Hardware, retry_s: float) -> None:
    """Sessions and slots, waiting, refusals, utilisation and cost over a day."""
    hours = np.arange(len(minutes.asked)) / 60
    figure = Figure(figsize=(9, 9.5), layout="constrained")
    load, wait, use, cost = figure.subplots(4, 1, sharex=True)
    figure.suptitle(title)
    load.plot(hours, minutes.sessions.sum(axis=1), color=_SOFT, label="open sessions")
    load.plot(hours, minutes.slots.sum(axis=1), color=_STRONG, label="slots ready")
    load.plot(hours, minutes.speaking.sum(axis=1), color=_WARN, label="speaking")
    _finish(load, "count", legend=True)
    wait.plot(hours, 100 * minutes.refused.sum(axis=1) / minutes.asked.sum(axis=1).clip(min=1), color=_WARN, label="refused at first, %")
    wait.plot(hours, _wait_s(minutes, 0.99) * retry_s, color=_STRONG, label="waiting for a slot, p99, s")
    _finish(wait, "% or s", legend=True)
    use.plot(hours, 100 * minutes.speaking.sum(axis=1) / minutes.slots.sum(axis=1).clip(min=1), color=_STRONG)
    _finish(use, "slots that speak, %")
    cost.plot(hours, minutes.paid.sum(axis=1) * hardware.replica_usd_per_hour, color=_STRONG)
    _finish(cost, "USD per hour")
    cost.set_xlabel("hour of the day")
    figure.savefig(path, dpi=110, metadata={"Software": None})


def draw_shares(path: Path, title: str, curves: dict[str, list[Row]]) -> None:
    """Draws cost and refused requests over the share of slots that may speak."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    refused, cost = figure.subplots(1, 2)
    figure.suptitle(title)
    for name, rows in curves.items():
        shares = [row.scaling.share for row in rows]
        refused.semilogy(shares, [max(row.refused_pct, 1e-4) for row in rows], marker="o", label=name)
        cost.plot(shares, [row.usd_per_1000_minutes for row in rows], marker="o", label=name)
    refused.axhline(MOST_REFUSED_PCT, color=_WARN, linewidth=0.8, linestyle="--")
    _finish(refused, "refused at first, %", legend=True)
    _finish(cost, "USD per 1,000 minutes")
    for axes in (refused, cost):
        axes.set_xlabel("slots share")
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _wait_s(minutes: Minutes, share: float) -> Any:
    """[minutes] retries that this share of the admitted needed at the most."""
    admitted = np.cumsum(minutes.waits, axis=1)
    return (admitted < share * admitted[:, -1:]).sum(axis=1)


def _finish(axes: Axes, label: str, *, legend: bool = False) -> None:
    axes.set_ylabel(label)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_yscale() == "linear":
        axes.set_ylim(bottom=0)
    if legend:
        axes.legend(frameon=False, fontsize=8)
