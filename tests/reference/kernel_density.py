"""Slow, obvious twin of KernelDensity: two lists of colours per pixel."""

import math

import numpy as np
from reference.footage import channels


def kernel_density(
    frames, *, n_samples=20, threshold=0.1, recent=100, history=1000, min_bandwidth=10.0, learning_rate=None
):
    """For every frame its mask and its score (which counts only where the mask is 255), and at last the samples."""
    frames = [channels(frame) for frame in frames]
    height, width, _ = frames[0].shape
    spread, previous = np.zeros(frames[0].shape, int), frames[0]
    lists = [[frames[0].copy() for _ in range(n_samples)] for _ in range(2)]
    new, periods = 1, [recent // n_samples, history // n_samples]
    if learning_rate is not None:
        new, periods = max(1, round(learning_rate * n_samples)), [max(1, round(1 / (learning_rate * n_samples)))] * 2
    answers = []
    for now, frame in enumerate(frames):
        mask, score = np.zeros((height, width), int), np.zeros((height, width))
        for place in np.ndindex(height, width):
            sigma = np.maximum(spread[place] / 8 / (0.68 * math.sqrt(2)), min_bandwidth)
            density = 0
            for samples in lists:
                squares = [((frame[place] - sample[place]) ** 2 / (2 * sigma**2)).sum() for sample in samples]
                density = max(density, sum(_exp(-square) for square in squares) / n_samples)
            score[place] = threshold / (threshold + density)
            mask[place] = 255 if density < threshold else 0
        difference = np.minimum(abs(frame - previous), 31) * 8
        spread, previous = spread + np.sign(difference - spread), frame
        for place in np.ndindex(height, width):
            turn = now + (place[0] * width + place[1]) // 64 * 7
            for samples, period, is_blind in zip(lists, periods, (False, True), strict=True):
                if turn % period == 0 and (is_blind or mask[place] == 0):
                    for k in range(new):
                        samples[(turn // period * new + k) % n_samples][place] = frame[place]
        answers.append((mask, score))
    return answers, lists


def _exp(x):
    """e^x, as the model takes it: between powers of two a parabola."""
    exponent = max(127 + x * math.log2(math.e), 0)
    whole = math.floor(exponent)
    part = exponent - whole
    return 2.0 ** (whole - 127) * (1 + part + 0.33977 * part * (part - 1))
