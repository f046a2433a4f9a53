"""Slow, obvious twins of the kernels of linkers: pixels of tracks, odds, and colours in bins."""

import numpy as np


def overlaps(identities, ids, steps, labels, n_regions, flow=None):
    """Pixels of each track whose place, moved on, is in each region; and all of each track."""
    height, width = labels.shape
    common, own = np.zeros((len(ids), n_regions), int), np.zeros(len(ids), int)
    for row, identity in enumerate(ids):
        for y, x in np.argwhere(identities == identity):
            own[row] += 1
            step = steps[row] if flow is None else flow[y, x]
            u, v = x + round(float(step[0])), y + round(float(step[1]))
            if 0 <= u < width and 0 <= v < height and labels[v, u] > 0:
                common[row, labels[v, u] - 1] += 1
    return common, own


def painted(labels, owners, old=None, kept=()):
    """Owners' ids where there are labels; elsewhere what `old` has of the ids `kept`."""
    identities = np.zeros(labels.shape, int) if old is None else np.where(np.isin(old, kept), old, 0)
    by_label = np.append(0, owners)[labels]
    return np.where(by_label > 0, by_label, identities)


def normal(x, mean, variance):
    return np.exp(-((x - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)


def odds(tracks, centres, areas, scores, features, common, view, seen):
    """The sum of the cues as logarithms of densities; `seen`: the statistics of looks."""
    (_, same, same2), (_, other, other2) = seen
    same_spread, other_spread = (max(s2 - s**2, 1e-4) for s, s2 in ((same, same2), (other, other2)))
    table = np.zeros(common.shape)
    for i in range(len(table)):
        variances = np.maximum(tracks.variances[i], 0.25)
        for j in range(table.shape[1]):
            total = sum(np.log(normal(centres[j], tracks.centres[i], variances))) + np.log(view)
            if total < -12:
                table[i, j] = -12
                continue
            if tracks.alone[i]:
                ratio = np.log(max(tracks.areas[i], 1)) - np.log(max(areas[j], 1))
                total += max(np.log(normal(ratio, 0, 0.35**2) / normal(ratio, 0, 1)), -4)
                if tracks.own[i]:
                    iou = np.clip(common[i, j] / (tracks.own[i] + max(areas[j], 1) - common[i, j]), 0.01, 0.99)
                    total += np.clip(np.log(3 * iou**2 / (3 * (1 - iou) ** 2)), -4, 4)
            score = np.clip(scores[j], 0.05, 0.95)
            total += np.log(score / (1 - score)) / 2
            if tracks.features[i].any() and features[j].any() and other > same:
                distance = np.clip(1 - tracks.features[i] @ features[j], same, other)
                ratio = np.log(normal(distance, same, same_spread) / normal(distance, other, other_spread))
                total += np.clip(ratio, -4, 4)
            table[i, j] = total
    return table


def histograms(frame, labels, boxes):
    """Square roots of shares; each pixel is shared among its neighbouring bins by distance, colour by colour."""
    tables = np.zeros((len(boxes), 2, 4, 4, 4))
    for row, (_, y0, _, y1) in enumerate(boxes):
        for y, x in np.argwhere(labels == row + 1):
            near = [np.maximum(0, 1 - np.abs(np.arange(4) - frame[y, x, c] / 85)) for c in range(3)]
            half = 0 if y < (y0 + y1) / 2 else 1
            tables[row, half] += near[0][:, None, None] * near[1][None, :, None] * near[2][None, None, :]
    flat = tables.reshape(len(boxes), -1)
    return np.sqrt(flat / np.maximum(flat.sum(axis=1, keepdims=True), 1))
