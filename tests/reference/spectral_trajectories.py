"""Slow, obvious twin of the affinities of tracks."""

import numpy as np


def affinities(points, motions, spreads, ages, steepness, near):
    n = len(points)
    result = np.ones((n, n))
    for i, j in np.ndindex(n, n):
        shared = min(ages[i], ages[j])
        difference = ((motions[i, :shared].astype(float) - motions[j, :shared]) ** 2).sum(axis=1)
        worst = (difference / np.minimum(spreads[i, :shared], spreads[j, :shared])).max(initial=0)
        far = max(1, np.hypot(*(points[i] - points[j])) / near)
        result[i, j] = shared / max(ages[i], ages[j]) * np.exp(-steepness * worst * far)
    return result
