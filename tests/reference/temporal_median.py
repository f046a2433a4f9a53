"""Slow, obvious twin of TemporalMedian."""

import numpy as np
from reference.footage import channels


def temporal_median(frames, history, period, threshold):
    """For every frame its mask, its score and the median after it."""
    answers, taken = [], [channels(frames[0])]
    least = int(np.floor(threshold)) + 1
    for i, frame in enumerate(frames):
        farthest = np.abs(channels(frame) - _lower_median(taken)).max(axis=2)
        if i > 0 and i % period == 0:
            taken = [*taken, channels(frame)][-history:]
        mask = np.where(farthest > threshold, 255, 0)
        answers.append((mask, farthest / (farthest + least), _lower_median(taken).reshape(frame.shape)))
    return answers


def _lower_median(frames):
    return np.sort(frames, axis=0)[(len(frames) - 1) // 2]
