"""Slow, obvious twin of KNN: three queues of samples per pixel."""

import hashlib
import math
from collections import deque

import numpy as np
from reference.footage import channels

TILE = 64
FARTHEST = 147  # larger differences of a channel are cut to this


def knn(frames, *, history=500, threshold=400.0, detect_shadows=True, n_samples=7, k=2, shadow_threshold=0.5, seed=0):
    """For every frame its mask and its score (which counts only where the mask is not 0)."""
    first = channels(frames[0])
    shape = first.shape[:2]
    pixels = [_Pixel(color, n_samples, k) for color in first.reshape(-1, first.shape[2])]
    cycle, count, period = [0, 0, 0], [0, 0, 0], [0, 0, 0]
    answers = [(np.zeros(shape, int), np.zeros(shape))]
    for seen, frame in enumerate(frames[1:], 1):
        rate = 1 / min(2 * (seen + 1), history)
        for which in range(3):
            if count[which] == 0:
                period[which] = _period(which, rate, n_samples)
        mask, score = np.zeros(len(pixels), int), np.zeros(len(pixels))
        colors = channels(frame).reshape(len(pixels), -1)
        for i, (pixel, color) in enumerate(zip(pixels, colors, strict=True)):
            due = [_turn(i, which, cycle[which], period[which], seed) == count[which] for which in range(3)]
            mask[i], score[i] = pixel.classify(color, threshold, k, detect_shadows, shadow_threshold)
            pixel.learn(color, due, mask[i] == 0, threshold, k)
        for which in range(3):
            count[which] += 1
            if count[which] == period[which]:
                cycle[which], count[which] = cycle[which] + 1, 0
        answers.append((mask.reshape(shape), score.reshape(shape)))
    return answers


def _period(which, rate, n_samples):
    reach = [math.log(fade) / math.log(1 - rate) for fade in (1, 0.7, 0.4, 0.1)]
    return min(int((reach[which + 1] - reach[which]) / n_samples) + 1, 65535)


def _turn(pixel, which, cycle, period, seed):
    """The frame of the cycle at which the pixel has its turn: a hash of the tile and the list, then of the pixel."""
    key = int.from_bytes(hashlib.blake2b(f"{seed} {which} {cycle}".encode(), digest_size=4).digest(), "little")
    tile, lane = divmod(pixel, TILE)
    key = (tile * 0x9E3779B1 % 2**32) ^ key
    key = (key ^ key >> 16) * 0x85EBCA6B % 2**32
    key = (key ^ key >> 13) * 0xC2B2AE35 % 2**32
    h = (lane * 0x9E37 + key) * (key >> 16 | 1) % 2**16
    h = (h ^ h >> 7) * 0x5AE5 % 2**16
    return (h ^ h >> 9) * period >> 16


class _Pixel:
    """Samples are (color, is background), or None where there is none yet; the oldest is on the left."""

    def __init__(self, color, n_samples, k):
        self.lists = [deque([None] * n_samples, n_samples) for _ in range(3)]
        self.lists[0].extend([(color, True)] * k)

    def _samples(self, only_background):
        every = (sample for queue in self.lists for sample in queue if sample is not None)
        return [color for color, is_background in every if is_background or not only_background]

    def classify(self, color, threshold, k, detect_shadows, tau):
        background = self._samples(only_background=True)
        distances = sorted(int((np.minimum(np.abs(color - sample), FARTHEST) ** 2).sum()) for sample in background)
        distance = distances[k - 1] if len(distances) >= k else 65535
        score = distance / (distance + math.ceil(threshold))
        if distance < threshold:
            return 0, score
        if detect_shadows and sum(_is_shadow(color, sample, threshold, tau) for sample in background) >= k:
            return 127, score / 2
        return 255, score

    def learn(self, color, due, is_background, threshold, k):
        short, middle, long = self.lists
        if due[2]:
            long.append(middle[0])
        if due[1]:
            middle.append(short[0])
        if due[0]:
            near = sum(((color - sample) ** 2).sum() < threshold for sample in self._samples(only_background=False))
            short.append((color, bool(is_background or near >= k)))


def _is_shadow(color, sample, threshold, tau):
    dot, norm = int((color * sample).sum()), int((sample * sample).sum())
    if norm == 0 or not tau * norm <= dot <= norm:
        return False
    a = dot / norm
    return ((a * sample - color) ** 2).sum() < threshold * a * a
