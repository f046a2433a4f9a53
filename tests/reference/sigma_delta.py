"""Slow, obvious twin of SigmaDelta."""

import numpy as np
from reference.footage import channels


def sigma_delta(frames, amplification, v_min, v_max):
    """For every frame its mask, its score, and M and V after it."""
    answers = []
    m = channels(frames[0])
    v = np.full_like(m, v_min)
    for frame in frames:
        i = channels(frame)
        m = m + np.sign(i - m)
        o = np.abs(i - m)
        v = np.where(o != 0, np.clip(v + np.sign(np.minimum(amplification * o, 255) - v), v_min, v_max), v)
        mask = np.where((o >= v).any(axis=2), 255, 0)
        answers.append((mask, (o / (o + v)).max(axis=2), m.reshape(frame.shape), v.reshape(frame.shape)))
    return answers
