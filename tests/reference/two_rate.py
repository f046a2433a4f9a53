"""Slow, obvious twin of TwoRate: one pixel after the other."""

import numpy as np
from reference.footage import channels


def two_rate(
    frames, *, learning_rate=0.01, fast_rate=0.05, threshold=5.0, patience=50, var_init=225.0, var_min=16.0, given=None
):
    """For every frame its mask, its score, and both means, variance and evidence after it; `given` is apply's rate."""
    slow = channels(frames[0]).astype(float)
    fast, variance, evidence = slow.copy(), np.full(slow.shape, var_init), np.zeros(slow.shape[:2], int)
    shape = slow.shape[:2]
    answers = [(np.zeros(shape, int), np.zeros(shape), slow.copy(), fast.copy(), variance.copy(), evidence.copy())]
    for seen, frame in enumerate(frames[1:], 1):
        rate, quick = max(learning_rate, 1 / (seen + 1)), max(fast_rate, 1 / (seen + 1))
        if given is not None:
            rate, quick = given, min(1, given * fast_rate / learning_rate)
        mask, score, colors = np.zeros(shape, int), np.zeros(shape), channels(frame)
        for place in np.ndindex(shape):
            d, apart, v = colors[place] - slow[place], colors[place] - fast[place], variance[place]
            q = (d**2 / v).sum()
            halted = q > threshold**2 and (apart**2 / v).sum() <= threshold**2
            score[place] = q / (q + threshold**2)
            evidence[place] = min(evidence[place] + 1, 2 * patience) if halted else max(evidence[place] - 1, 0)
            if q <= threshold**2:
                slow[place] += rate * d
                variance[place] = np.maximum(v + rate * (d**2 - v), var_min)
            else:
                mask[place] = 255
                slow[place] += rate / 20 * d if halted else 0
            fast[place] += quick * apart
        answers.append((mask, score, slow.copy(), fast.copy(), variance.copy(), evidence.copy()))
    return answers
