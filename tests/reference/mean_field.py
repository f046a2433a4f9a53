"""Cues that neighbours agree on, pixel by pixel: the equations of the mean field, as they are written."""

import math

import numpy as np

AROUND = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]


def tie(picture, here, there, variance, smoothness):
    """How strongly two neighbours are tied."""
    difference = float(np.sum((picture[here] - picture[there]) ** 2))
    return smoothness * math.exp(-difference / (2 * variance)) / math.dist(here, there)


def fuse(cues, weights, smoothness, iterations, frame=None):
    """(score, evidence) in float64."""
    evidence = {name: weights[name] * cue.astype(float) for name, cue in cues.items()}
    unary = sum(evidence.values())
    height, width = unary.shape
    picture = np.zeros((height, width, 1)) if frame is None else frame.reshape(height, width, -1).astype(float)
    squares = [np.sum((picture[y, x + 1] - picture[y, x]) ** 2) for y in range(height) for x in range(width - 1)]
    variance = 5 + np.mean(squares) if squares else math.inf  # one column shows no contrast to go by
    field = unary.copy()
    for _ in range(iterations):
        before, field = field, unary.copy()
        for y in range(height):
            for x in range(width):
                for dy, dx in AROUND:
                    there = y + dy, x + dx
                    if 0 <= there[0] < height and 0 <= there[1] < width:
                        strength = tie(picture, (y, x), there, variance, smoothness)
                        field[y, x] += strength * math.tanh(before[there] / 2)
    field = field.clip(-12, 12)
    return 1 / (1 + np.exp(-field)), {**evidence, "neighbours": field - unary}
