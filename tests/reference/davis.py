"""J, F and T of DAVIS in slow, obvious numpy: whole frames, shifted comparisons, a disk moved over every boundary."""

import math

import cv2
import numpy as np


def region_similarity(mask, truth):
    union = (mask | truth).sum()
    return (mask & truth).sum() / union if union else 1.0


def boundary(mask):
    """Pixels that differ from their right, lower or lower right neighbour; beyond the frame the edge repeats."""
    right, below, diagonal = mask.copy(), mask.copy(), mask.copy()
    right[:, :-1] = mask[:, 1:]
    below[:-1] = mask[1:]
    diagonal[:-1, :-1] = mask[1:, 1:]
    edge = (mask ^ right) | (mask ^ below) | (mask ^ diagonal)
    edge[-1] = mask[-1] ^ right[-1]
    edge[:, -1] = mask[:, -1] ^ below[:, -1]
    edge[-1, -1] = False
    return edge


def disk(radius):
    dy, dx = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return (dx**2 + dy**2 <= radius**2).astype(np.uint8)


def contour_accuracy(mask, truth, tolerance=0.008):
    radius = math.ceil(tolerance if tolerance >= 1 else tolerance * np.linalg.norm(mask.shape))
    a, b = boundary(mask), boundary(truth)
    near_a, near_b = (cv2.dilate(edge.astype(np.uint8), disk(radius)).astype(bool) for edge in (a, b))
    n_a, n_b = a.sum(), b.sum()
    if n_a == 0 or n_b == 0:
        precision, recall = float(n_a == 0), float(n_b == 0)
    else:
        precision, recall = (a & near_b).sum() / n_a, (b & near_a).sum() / n_b
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def shape_contexts(points):
    """Shares of the other points by sector of 30 degrees and by ring, (n, 60)."""
    offsets = points[None] - points[:, None]
    distances = np.hypot(offsets[..., 0], offsets[..., 1]) / np.hypot(offsets[..., 0], offsets[..., 1]).mean()
    sectors = np.floor(np.degrees(np.arctan2(offsets[..., 1], offsets[..., 0])) % 360 / 30).astype(int)
    rings = np.digitize(distances, [1 / 8, 1 / 4, 1 / 2, 1])
    histograms = np.zeros((len(points), 60))
    for i in range(len(points)):
        for j in range(len(points)):
            if i != j and distances[i, j] < 2:
                histograms[i, 5 * sectors[i, j] + rings[i, j]] += 1
    return histograms / np.maximum(histograms.sum(axis=1, keepdims=True), 1)


def chi_square(a, b):
    """Half the chi-square distance of two histograms."""
    both = a + b
    return 0.5 * ((a - b)[both > 0] ** 2 / both[both > 0]).sum()


def cheapest_walk(costs):
    """Least sum of costs on a way from the first to the last corner that goes right, down or both at each step."""
    totals = np.full(np.add(costs.shape, 1), np.inf)
    totals[0, 0] = 0
    for i in range(costs.shape[0]):
        for j in range(costs.shape[1]):
            totals[i + 1, j + 1] = costs[i, j] + min(totals[i, j], totals[i, j + 1], totals[i + 1, j])
    return totals[-1, -1]
