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
    """The measure that decides against frames per second, a point for each method; None without speeds."""
    points = []
    for method in section.methods:
        overall = section.means[method]["overall"]
        value, fps = overall.get(section.measure), overall.get("fps")
        if value is not None and fps is not None:
            points.append((method, value, fps))
    if not points:
        return None
    with _plot(6.4, 4.2) as (axes, out):
        for method, value, fps in points:
            color, marker = _look(section.methods.index(method))
            axes.plot(fps, value, marker, color=color, markersize=8)
            axes.annotate(method, (fps, value), xytext=(6, 5), textcoords="offset points", color=color, fontsize=9)
        axes.set_xscale("log")
        axes.set_xlabel("frames/s of the method alone, mean over sequences")
        axes.set_ylabel(section.measure + (" (lower is better)" if lower_is_better(section.measure) else ""))
        axes.margins(x=0.18, y=0.12)
    return out[0]


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
            axes.plot(grid, line, color=color, linewidth=1.8, label=method)
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
