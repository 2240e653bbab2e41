"""The soak's report: Markdown for people, JSON for programs, a picture of every process's memory."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.soak.sampling import FIGURES
from tests.soak.verdict import Trend

__all__ = ["write_reports"]

MIB = 1024 * 1024
Samples = Mapping[str, Mapping[str, Sequence[tuple[float, float]]]]


def write_reports(
    folder: Path,
    name: str,
    setting: Mapping[str, Any],
    trends: Sequence[Trend],
    problems: Sequence[str],
    samples: Samples,
) -> Path:
    """Write <name>.md, .json and .svg; returns the first one's path."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = {
        "setting": dict(setting),
        "flat": not problems,
        "problems": list(problems),
        "trends": [{**asdict(trend), "is_flat": trend.is_flat} for trend in trends],
        "samples": {process: dict(figures) for process, figures in samples.items()},
    }
    (folder / f"{name}.json").write_text(json.dumps(whole) + "\n", encoding="utf-8")
    _plot(folder / f"{name}.svg", samples, setting["warm_up_s"])
    lines = [f"# Soak {name.removeprefix('soak-')}", ""]
    lines += [f"**{'Flat' if not problems else 'Not flat'}.** " + "; ".join(problems), ""]
    lines += [f"- {key.replace('_', ' ')}: {value}" for key, value in setting.items()]
    lines += ["", f"![memory, descriptors, tasks]({name}.svg)", ""]
    lines += ["Growth is that of a straight line through the samples after the warm-up; how much is allowed"]
    lines += ["is in `tests/soak/verdict.py`.", ""]
    lines += ["| process | figure | mean | growth | allowed | |", "|---|---|--:|--:|--:|---|"]
    for trend in trends:
        cells = [_cell(trend.figure, value) for value in (trend.mean, trend.growth, trend.allowed)]
        mark = "flat" if trend.is_flat else "**grows**"
        figure = trend.figure.removesuffix("_bytes").replace("_", " ")
        lines.append(f"| {trend.process} | {figure} | {' | '.join(cells)} | {mark} |")
    path = folder / f"{name}.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _cell(figure: str, value: float) -> str:
    return f"{value / MIB:.2f} MiB" if figure.endswith("_bytes") else f"{value:.1f}"


def _plot(path: Path, samples: Samples, warm_up_s: float) -> None:
    # Half a second of a processor, which every process that reads the tests would pay.
    import matplotlib as mpl
    from matplotlib import pyplot

    mpl.use("svg")

    shown = [figure for figure in FIGURES if figure != "rss_bytes"]
    figure, axes = pyplot.subplots(len(shown), 1, figsize=(10, 3 * len(shown)), sharex=True)
    for axis, name in zip(axes, shown, strict=True):
        for process, of_process in sorted(samples.items()):
            points = of_process.get(name)
            if points:
                scale = MIB if name.endswith("_bytes") else 1
                axis.plot([t / 60 for t, _ in points], [v / scale for _, v in points], label=process)
        axis.axvline(warm_up_s / 60, color="grey", linestyle=":")
        axis.set_ylabel(name.replace("_bytes", ", MiB"))
        axis.set_yscale("symlog")
        axis.grid(visible=True, alpha=0.3)
    axes[0].legend(fontsize="x-small", ncols=4)
    axes[-1].set_xlabel("minutes")
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
