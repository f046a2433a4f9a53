"""Slow, obvious twin of Flux: one pixel after the other."""

import numpy as np


def flux(frames, *, threshold=15.0, window=7, learning_rate=0.5):
    """For every frame its mask and its score; `frames` are grey."""
    height, width = frames[0].shape
    last = before = frames[0].astype(float)
    trace, answers, half = np.zeros((height, width)), [], window // 2
    for frame in frames:
        now = frame.astype(float)
        speed, bend = (now - before) / 2, now - 2 * last + before
        changes, mean, least = np.zeros((3, height, width))
        for y, x in np.ndindex(height, width):
            across = down = 0
            for i, weight in ((-1, 1), (0, 2), (1, 1)):
                across += weight * (_at(speed, y + i, x + 1) - _at(speed, y + i, x - 1)) / 8
                down += weight * (_at(speed, y + 1, x + i) - _at(speed, y - 1, x + i)) / 8
            changes[y, x] = across**2 + down**2 + bend[y, x] ** 2
        trace = trace + learning_rate * (changes - trace)
        around = range(-half, half + 1)
        for y, x in np.ndindex(height, width):
            mean[y, x] = np.mean([_at(trace, y + j, x + i) for j in around for i in around])
        for y, x in np.ndindex(height, width):
            near = [(y + j, x + i) for j in around for i in around]
            least[y, x] = min(mean[j, i] for j, i in near if 0 <= j < height and 0 <= i < width)
        score = least / (least + threshold**2)
        answers.append((np.where(score >= 0.5, 255, 0), score))
        last, before = now, last
    return answers


def _at(array, y, x):
    """`array` goes on beyond its rim as in a mirror, whose rows and columns are not doubled."""
    (height, width) = array.shape
    return array[_mirrored(y, height), _mirrored(x, width)]


def _mirrored(i, n):
    if n == 1:
        return 0
    i %= 2 * n - 2
    return min(i, 2 * n - 2 - i)
