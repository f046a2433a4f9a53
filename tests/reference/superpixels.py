"""Slow, obvious twin of the superpixels: every pixel looks at every centre whose cell is around its own."""

import numpy as np


def simple_linear(features, cell, rounds=4, compact=2.0):
    height, width, n = features.shape
    rows, columns = max(1, round(height / cell)), max(1, round(width / cell))
    side = max(1, -(-height // rows), -(-width // columns))
    labels = np.zeros((height, width), int)
    for y, x in np.ndindex(height, width):
        labels[y, x] = y * rows // height * columns + x * columns // width
    for _ in range(rounds):
        centres = np.zeros((rows * columns, 2 + n))
        for label in range(rows * columns):
            ys, xs = np.nonzero(labels == label)
            if len(ys):
                centres[label] = [xs.mean(), ys.mean(), *features[ys, xs].astype(float).mean(axis=0)]
            else:
                row, column = label // columns, label % columns
                centres[label, :2] = (column + 0.5) * width / columns, (row + 0.5) * height / rows
        for y, x in np.ndindex(height, width):
            row, column = min(y // side, rows - 1), min(x // side, columns - 1)
            around = [
                r * columns + c
                for r in range(max(row - 1, 0), min(row + 2, rows))
                for c in range(max(column - 1, 0), min(column + 2, columns))
            ]
            place = (compact / cell) ** 2 * ((centres[around, :2] - [x, y]) ** 2).sum(axis=1)
            distance = place + ((centres[around, 2:] - features[y, x]) ** 2).sum(axis=1)
            labels[y, x] = around[int(np.argmin(distance))]
    return labels
