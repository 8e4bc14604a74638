"""The command line: without arguments everything for docs/capacity.md, some minutes on one core; with --sessions a quick answer."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from capacity.calculator import hearing, need, usd_per_1000_minutes
from capacity.crowd import Crowd
from capacity.inputs import FIGURES, HERE, Hardware, Inputs, read_inputs
from capacity.recommend import Row, by_down, by_share, cheapest

TOO_FULL = 0.9
Figures = dict[str, float | int | str]


def main() -> None:
    """Writes FOLDER/capacity.json and the plots, or prints one answer."""
    parser = argparse.ArgumentParser("capacity", description=__doc__)
    parser.add_argument("--inputs", type=Path, default=HERE / "inputs.toml", help="your numbers (default: inputs.toml beside this program)")
    parser.add_argument("--out", type=Path, default=FIGURES, metavar="FOLDER", help="where capacity.json and the plots go")
    parser.add_argument("--sessions", type=int, help="only calculate: what so many sessions at once need")
    parser.add_argument("--table", action="store_true", help="only calculate: renew capacity.json's table, with the shares that it has")
    parser.add_argument("--hardware", default="l4", help="a name of inputs.toml's [hardware.*]")
    parser.add_argument("--share", type=float, default=0.7, help="slots that may speak")
    arguments = parser.parse_args()
    inputs = read_inputs(arguments.inputs)
    hardware = inputs.hardware[arguments.hardware]
    if arguments.sessions:
        found = need(arguments.sessions, inputs, hardware, arguments.share)
        print(
            f"{found.sessions} sessions on {hardware.name} ({hardware.slots} slots, {hardware.source}): {found.speaking:.0f} speak -> "
            f"{found.replicas} replicas, {found.nodes} nodes, {found.usd_per_hour:.2f} USD/h, "
            f"{found.usd_per_1000_minutes:.3f} USD per 1,000 minutes"
        )
    elif arguments.table:
        write_table(inputs, arguments.out / "capacity.json")
    else:
        write_all(inputs, hardware, arguments.out)


def write_table(inputs: Inputs, file: Path) -> None:
    """Writes the table without a simulation: what was recommended stays."""
    figures: Figures = json.loads(file.read_text())
    figures |= _table(inputs, float(figures["recommended_slots_share"]), float(figures["recommended_slots_share_cpu"]))
    file.write_text(json.dumps(figures, indent=1) + "\n")


def write_all(inputs: Inputs, hardware: Hardware, out: Path) -> None:
    """Recommends on `hardware` and on the CPU, then simulates both days with what was recommended."""
    from capacity.plots import draw_day, draw_shares

    cpu, peak = inputs.hardware["cpu"], inputs.scaling.cell_sessions
    large, small, on_cpu = by_share(inputs, hardware, peak), by_share(inputs, hardware, peak / 10), by_share(inputs, cpu, peak / 50)
    share = min(cheapest(rows).scaling.share for rows in (large, small))
    down = cheapest(by_down(inputs, hardware, peak, share))
    figures = _recommended(inputs, hardware, down, cheapest(on_cpu)) | _table(inputs, share, cheapest(on_cpu).scaling.share)
    kinds = [(hardware, peak, large), (hardware, peak // 10, small), (cpu, peak // 50, on_cpu)]
    draw_shares(out / "capacity-share.png", "How full may it be?", {f"{kind.name}, {count} sessions": rows for kind, count, rows in kinds})
    too_full = replace(down.scaling, share=TOO_FULL)  # what the recommended share is good for
    for cells, label, scaling in ((1, "10k", down.scaling), (1, "10k-too-full", too_full), (100, "1m", down.scaling)):
        crowd = Crowd(inputs, hardware, [scaling] * cells, peak, seed=cells)
        minutes = crowd.run()
        figures |= _of_day(label.replace("-", "_"), crowd, minutes.paid.sum(axis=1).max(), inputs)
        title = f"{cells * peak:,} sessions at the peak, {cells} cell(s) of {hardware.name}, slots share {scaling.share}"
        draw_day(out / f"capacity-{label}.png", title, minutes, hardware, inputs.traffic.retry_s)
    (out / "capacity.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


def _recommended(inputs: Inputs, hardware: Hardware, row: Row, on_cpu: Row) -> Figures:
    """Recommends the chart's defaults. Bounds are for a thousand sessions at the peak."""
    scaling = row.scaling
    night = need(round(1000 * inputs.traffic.night_share), inputs, hardware, scaling.share).replicas
    most = need(round(1000 * (1 + inputs.traffic.surge_share)), inputs, hardware, scaling.share).replicas
    return {
        "recommended_slots_share": scaling.share,
        "recommended_slots_share_cpu": on_cpu.scaling.share,
        "recommended_scale_up_s": scaling.up_s,
        "recommended_scale_down_s": scaling.down_s,
        "recommended_scale_look_back_s": scaling.look_back_s,
        "recommended_replicas_min_per_1000_sessions": max(2, night),
        "recommended_replicas_max_per_1000_sessions": most,
        "recommended_cell_sessions": scaling.cell_sessions,
        "recommended_refused_pct": round(row.refused_pct, 4),
        "recommended_worst_minute_refused_pct": round(row.worst_minute_pct, 3),
    }


def _table(inputs: Inputs, gpu_share: float, cpu_share: float) -> Figures:
    """The calculator's table: a line for each kind of hardware. Few slots fill up by chance, so CPUs have a share of their own."""
    figures: Figures = {
        "speaking_share": round(inputs.speaking_share, 4),
        "busy_s": round(inputs.busy_s, 3),
        "ear_cpus_per_session": round(inputs.ear_cpus_per_session, 4),
    }
    for name, hardware in inputs.hardware.items():
        share = gpu_share if hardware.gpu_name else cpu_share
        large, ears = need(1_000_000, inputs, hardware, share), hearing(inputs, hardware, share)
        figures |= {
            f"{name}_slots": hardware.slots,
            f"{name}_slots_source": hardware.source,
            f"{name}_sessions_per_replica": round(share * hardware.slots / inputs.speaking_share, 1),
            f"{name}_usd_per_1000_minutes": round(usd_per_1000_minutes(inputs, hardware, share), 4),
            f"{name}_spot_usd_per_1000_minutes": round(hardware.spot_factor * usd_per_1000_minutes(inputs, hardware, share), 4),
            f"{name}_replicas_for_10k": need(10_000, inputs, hardware, share).replicas,
            f"{name}_nodes_for_1m": large.nodes,
            f"{name}_ear_workers": ears.workers,
            f"{name}_ear_cpus_per_replica": round(ears.cpus, 2),
        }
    return figures


def _of_day(label: str, crowd: Crowd, most_paid: float, inputs: Inputs) -> Figures:
    outcome, hardware, retry_s = crowd.outcome(), crowd.hardware, inputs.traffic.retry_s
    return {
        f"day_{label}_questions": round(outcome.asked),
        f"day_{label}_refused_pct": round(outcome.refused_pct, 4),
        f"day_{label}_lost_pct": round(outcome.lost_pct, 4),
        f"day_{label}_wait_p99_s": outcome.wait_s(0.99, retry_s),
        f"day_{label}_wait_p9999_s": outcome.wait_s(0.9999, retry_s),
        f"day_{label}_utilisation_pct": round(outcome.utilisation_pct, 2),
        f"day_{label}_most_replicas": round(float(most_paid)),
        f"day_{label}_usd": round(outcome.usd(hardware)),
        f"day_{label}_usd_per_1000_minutes": round(outcome.usd_per_1000_minutes(hardware), 4),
    }


if __name__ == "__main__":
    main()
