"""Slow, obvious twin of RunningAverage."""

import numpy as np
from reference.footage import channels


def running_average(frames, learning_rate, threshold, selective):
    """For every frame its mask, its score and the mean after it."""
    answers, mean = [], channels(frames[0]).astype(float)
    for i, frame in enumerate(frames):
        farthest = np.abs(channels(frame) - mean).max(axis=2)
        foreground = farthest > threshold
        rate = np.full(foreground.shape, max(learning_rate, 1 / (i + 1)))
        if selective:
            rate[foreground] = 0
        mean += rate[..., None] * (channels(frame) - mean)
        answers.append((np.where(foreground, 255, 0), farthest / (farthest + threshold), mean.copy()))
    return answers
