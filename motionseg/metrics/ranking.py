"""Ranks of methods as on CDnet's result pages: per metric, their mean, and the mean over categories."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["CDNET_METRICS", "Ranking", "rank", "rank_methods"]

CDNET_METRICS = {"Re": True, "Sp": True, "FPR": False, "FNR": False, "PWC": False, "F": True, "Pr": True}
"""The metrics that CDnet ranks by, and whether higher is better."""

Table = Mapping[str, Mapping[str, Mapping[str, float]]]


@dataclass(frozen=True)
class Ranking:
    """Where each method stands; 1 is best.

    Attributes
    ----------
    overall : dict
        Method -> metric -> rank by the mean over all categories.
    categories : dict
        Method -> category -> mean rank over the metrics within the category.
    average : dict
        Method -> mean of its ranks in `overall` (CDnet's "average ranking").
    across_categories : dict
        Method -> mean of its ranks in `categories` (CDnet's "average ranking across categories").
    """

    overall: dict[str, dict[str, float]]
    categories: dict[str, dict[str, float]]
    average: dict[str, float]
    across_categories: dict[str, float]


def rank(values: Mapping[str, float], *, higher_is_better: bool) -> dict[str, float]:
    """Rank methods by one number each: 1 is best, equals share the mean of their places, nan comes last.

    Examples
    --------
    >>> rank({"a": 0.5, "b": 0.9, "c": 0.5, "d": float("nan")}, higher_is_better=True)
    {'a': 2.5, 'b': 1.0, 'c': 2.5, 'd': 4.0}
    """
    cost = np.array([-value if higher_is_better else value for value in values.values()], np.float64)
    cost[np.isnan(cost)] = math.inf
    better, equal = (cost[None, :] < cost[:, None]).sum(axis=1), (cost[None, :] == cost[:, None]).sum(axis=1)
    return dict(zip(values, (better + (equal + 1) / 2).tolist(), strict=True))


def rank_methods(results: Table, higher_is_better: Mapping[str, bool] = CDNET_METRICS) -> Ranking:
    """Rank methods by several metrics in several categories.

    A method that lacks a value (or has nan) ranks behind all that have it; where several lack it they share the last
    places. One that lacks a category in which others have a value lacks the overall mean, too: leaving out the hard
    category does not pay.

    Parameters
    ----------
    results : mapping
        Method -> category -> metric -> value, the first part of what :func:`~motionseg.metrics.summarize` returns.
    higher_is_better : mapping
        The metrics to rank by, with the direction of each.

    References
    ----------
    Y. Wang et al., CDnet 2014: an expanded change detection benchmark dataset, CVPRW 2014,
    doi:10.1109/CVPRW.2014.126.

    Examples
    --------
    >>> results = {"a": {"night": {"F": 0.5, "PWC": 2.0}}, "b": {"night": {"F": 0.6, "PWC": 1.0}}}
    >>> rank_methods(results, {"F": True, "PWC": False}).average
    {'a': 2.0, 'b': 1.0}
    """
    names = list(dict.fromkeys(name for parts in results.values() for name in parts))
    overall: dict[str, dict[str, float]] = {method: {} for method in results}
    places: dict[str, dict[str, list[float]]] = {method: {name: [] for name in names} for method in results}
    for metric, direction in higher_is_better.items():
        judged = []
        for name in names:
            column = {method: parts.get(name, {}).get(metric, math.nan) for method, parts in results.items()}
            for method, place in rank(column, higher_is_better=direction).items():
                places[method][name].append(place)
            if not all(math.isnan(value) for value in column.values()):
                judged.append(column)
        means = {method: _mean([column[method] for column in judged]) for method in results}
        for method, place in rank(means, higher_is_better=direction).items():
            overall[method][metric] = place
    categories = {method: {name: _mean(ranks) for name, ranks in parts.items()} for method, parts in places.items()}
    average = {method: _mean(list(parts.values())) for method, parts in overall.items()}
    return Ranking(overall, categories, average, {m: _mean(list(parts.values())) for m, parts in categories.items()})


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan
