"""Slow, obvious twins of motion_boundaries and inside_votes: one pixel, one ray after the other."""

import numpy as np


def motion_boundaries(flow, *, reach=3, steepness=0.7, turning=1.0):
    flow = flow.astype(float)
    height, width = flow.shape[:2]
    out = np.zeros((height, width))

    def at(y, x):
        return flow[min(max(y, 0), height - 1), min(max(x, 0), width - 1)]

    for y, x in np.ndindex(height, width):
        around = [at(y - reach, x), at(y + reach, x), at(y, x - reach), at(y, x + reach)]
        change = np.sqrt(np.sum((around[3] - around[2]) ** 2) + np.sum((around[1] - around[0]) ** 2))
        strength = 1 - np.exp(-steepness * change)
        if strength < 0.05:
            continue
        if strength <= 0.5:
            own = flow[y, x]
            cosines = [
                (own @ other + 1e-12) / np.sqrt((own @ own + 1e-12) * (other @ other + 1e-12)) for other in around
            ]
            angle = np.arccos(np.clip(min(cosines), -1, 1))
            strength *= 1 - np.exp(-turning * angle**2)
        out[y, x] = strength
    return out


def inside_votes(edges):
    height, width = edges.shape
    votes = np.zeros((height, width), int)
    for y, x in np.ndindex(height, width):
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                if (down, right) != (0, 0):
                    votes[y, x] += _crossings(edges, y, x, down, right) % 2
    return votes


def _crossings(edges, y, x, down, right):
    """Runs of edge pixels on the ray from (y, x), but for the one it begins in."""
    crossings, on = 0, edges[y, x]
    while 0 <= y + down < edges.shape[0] and 0 <= x + right < edges.shape[1]:
        there = edges[y + down, x + right]
        if there and not on:
            crossings += 1
        if down and right and not there and not on and edges[y + down, x] and edges[y, x + right]:
            crossings += 1  # it slips through between two that touch at their corners
        y, x, on = y + down, x + right, there
    return crossings
