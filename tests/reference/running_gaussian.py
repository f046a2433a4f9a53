"""Slow, obvious twin of RunningGaussian: one pixel after the other."""

import numpy as np
from reference.footage import channels


def running_gaussian(
    frames, *, learning_rate=0.01, threshold=4.0, foreground_share=0.1, var_init=225.0, var_min=16.0, given=None
):
    """For every frame its mask, its score, and means and variances after it; `given` is the rate given to apply."""
    mean = channels(frames[0]).astype(float)
    variance = np.full(mean.shape, var_init)
    shape = mean.shape[:2]
    answers = [(np.zeros(shape, int), np.zeros(shape), mean.copy(), variance.copy())]
    for seen, frame in enumerate(frames[1:], 1):
        rate = max(learning_rate, 1 / (seen + 1)) if given is None else given
        mask, score, colors = np.zeros(shape, int), np.zeros(shape), channels(frame)
        for place in np.ndindex(shape):
            d = colors[place] - mean[place]
            q = (d**2 / variance[place]).sum()
            score[place] = q / (q + threshold**2)
            if q > threshold**2:
                mask[place] = 255
                mean[place] += rate * foreground_share * d
            else:
                mean[place] += rate * d
                variance[place] = np.maximum(variance[place] + rate * (d**2 - variance[place]), var_min)
        answers.append((mask, score, mean.copy(), variance.copy()))
    return answers
