"""Slow, obvious twin of Consensus, given the masks of its members."""

import numpy as np


def consensus(masks, *, agreement=0.5, window=5):
    """Mask and score of one frame, of which the members made `masks` (N, H, W)."""
    n, height, width = len(masks), *masks[0].shape
    passed = sum((mask == 255).astype(int) for mask in masks) > agreement * n
    mask, score, half = np.zeros((height, width), int), np.zeros((height, width)), window // 2
    for y, x in np.ndindex(height, width):
        around = [
            passed[min(max(y + j, 0), height - 1), min(max(x + i, 0), width - 1)]
            for j in range(-half, half + 1)
            for i in range(-half, half + 1)
        ]
        score[y, x] = np.mean(around)
        mask[y, x] = 255 if np.median(around) else 0
    return mask, score
