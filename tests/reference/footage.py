"""Small films to play to models: a noisy wall, a bright block that moves over it, and a shadow that it casts."""

import numpy as np


def footage(n, shape, *, seed=0, noise=3.0, block_from=0, flicker=0):
    """`n` uint8 frames of `shape`; the block is there from frame `block_from` on, and every third frame flickers."""
    rng = np.random.default_rng(seed)
    wall, frames = rng.integers(60, 180, shape), []
    h, w = max(1, shape[0] // 3), max(1, shape[1] // 5)
    for i in range(n):
        frame = wall + rng.normal(0, noise, shape) + (flicker if i % 3 == 0 else 0)
        if i >= block_from:
            x = 2 * i % max(1, shape[1] - 2 * w)
            frame[h : 2 * h, x : x + w] = 240 if len(shape) == 2 else (240, 30, 200)
            frame[h : 2 * h, x + w : x + 2 * w] *= 0.7
        frames.append(frame.clip(0, 255).astype(np.uint8))
    return frames


def channels(frame):
    """`frame` as int (H, W, C), grey ones with a channel too."""
    return frame.reshape(*frame.shape[:2], -1).astype(int)
