"""The plots of a report, as SVG text."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from motionseg.apps.records import lower_is_better
from motionseg.apps.report.tables import Section

__all__ = ["precision_recall", "quality_against_speed"]

# Okabe and Ito's colours, which people who do not see red and green tell apart; then again with another marker.
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_MARKERS = "os^Dv*P"
_STYLE = {"font.size": 10, "svg.fonttype": "none", "axes.spines.top": False, "axes.spines.right": False,
          "axes.grid": True, "grid.color": "#e4e4e4", "font.family": "sans-serif"}  # fmt: skip


def _look(index: int) -> tuple[str, str]:
    return _COLORS[index % len(_COLORS)], _MARKERS[index // len(_COLORS) % len(_MARKERS)]


@contextmanager
def _plot(width: float, height: float) -> Iterator[tuple[Axes, list[str]]]:
    """Axes to draw on, and a list that the SVG is put into."""
    out: list[str] = []
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure.add_subplot(), out
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
        text = buffer.getvalue()
        out.append(text[text.index("<svg") :])


def quality_against_speed(section: Section) -> str | None:
    """The measure that decides against frames per second, a point for each method; None for less than two."""
    points = []
    for method in section.methods:
        overall = section.means[method]["overall"]
        value, fps = overall.get(section.measure), overall.get("fps")
        if value is not None and fps is not None:
            points.append((method, value, fps))
    if len(points) < 2:
        return None
    with _plot(6.4, 4.2) as (axes, out):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("frames/s of the method alone, mean over sequences")
        axes.set_ylabel(section.measure + (" (lower is better)" if lower_is_better(section.measure) else ""))
        axes.margins(x=0.2, y=0.12)
        for method, value, fps in points:
            color, marker = _look(section.methods.index(method))
            axes.plot(fps, value, marker, color=color, markersize=8)
        _label(axes, section.methods, points)
    return out[0]


def _label(axes: Axes, methods: list[str], points: list[tuple[str, float, float]]) -> None:
    """Names beside their points, where they do not lie upon another name or point."""
    axes.figure.draw_without_rendering()  # settles where points are
    scale = 72 / axes.figure.dpi
    places = {method: axes.transData.transform((fps, value)) * scale for method, value, fps in points}
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in places.values()]
    for method, value, fps in points:
        width, (x, y) = 5.2 * len(method), places[method]
        corners = [(side, up) for up in (4, -12, 14, -22) for side in (7, -7 - width)]
        boxes = [(x + dx, y + dy, x + dx + width, y + dy + 9) for dx, dy in corners]
        crossings = [sum(_cross(box, other) for other in taken) for box in boxes]
        best = crossings.index(min(crossings))
        taken.append(boxes[best])
        axes.annotate(method, (fps, value), xytext=corners[best], textcoords="offset points",
                      color=_look(methods.index(method))[0], fontsize=9)  # fmt: skip


def _cross(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def precision_recall(section: Section) -> str | None:
    """Precision against recall over all thresholds of the score, a line for each method; None without scores."""
    grid = np.linspace(0, 1, 101)
    lines = [(method, _mean_curve(section.of(method), grid)) for method in section.methods]
    lines = [(method, line) for method, line in lines if line is not None]
    if not lines:
        return None
    with _plot(6.4, 4.2) as (axes, out):
        for method, line in lines:
            color, _ = _look(section.methods.index(method))
            style = ("-", "--", ":")[section.methods.index(method) // len(_COLORS) % 3]
            axes.plot(grid, line, style, color=color, linewidth=1.8, label=method)
        axes.set(xlabel="recall", ylabel="precision, mean over sequences", xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(loc="lower left", frameon=False, fontsize=9)
    return out[0]


def _mean_curve(records: list[dict[str, Any]], grid: np.ndarray) -> np.ndarray | None:
    """Precision at each recall of `grid`, 0 beyond the highest recall that is reached; the mean over sequences."""
    rows = []
    for record in records:
        curve = record.get("curve") or {}
        recall, precision = np.array(curve.get("recall", []), float), np.array(curve.get("precision", []), float)
        if recall.size and not math.isnan(recall.max()):
            order = np.argsort(recall, kind="stable")
            rows.append(np.interp(grid, recall[order], precision[order], right=0.0))
    return np.mean(rows, axis=0) if rows else None
