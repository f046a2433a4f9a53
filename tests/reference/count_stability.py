"""Slow, obvious twin of CountStability: one pixel after the other."""

import cv2
import numpy as np


def count_stability(frames, *, min_stability=15, max_stability=900, threshold=30, still_threshold=5):
    """For every frame its mask, its score, and the picture of the background after it."""
    shape = frames[0].shape[:2]
    greys = [cv2.cvtColor(f, cv2.COLOR_BGR2GRAY) if f.ndim == 3 else f for f in frames]
    pixels = [_Pixel(*first) for first in zip(greys[0].flat, _colors(frames[0]), strict=True)]
    answers = []
    for frame, grey in zip(frames, greys, strict=True):
        mask, score = np.zeros(len(pixels), int), np.zeros(len(pixels))
        for i, (pixel, value, color) in enumerate(zip(pixels, grey.flat, _colors(frame), strict=True)):
            distance = abs(int(value) - pixel.known)
            is_background = pixel.see(int(value), color, min_stability, max_stability, threshold, still_threshold)
            score[i] = distance / (distance + threshold)
            mask[i] = 0 if is_background else 255
            score[i] = min(score[i], 0.49999997) if is_background else max(score[i], 0.5)
        picture = np.array([pixel.picture for pixel in pixels]).reshape(frame.shape)
        answers.append((mask.reshape(shape), score.reshape(shape), picture))
    return answers


def _colors(frame):
    return frame.reshape(frame.shape[0] * frame.shape[1], -1)


class _Pixel:
    def __init__(self, grey, color):
        self.known, self.previous, self.picture = int(grey), int(grey), color
        self.credit = self.stability = 0

    def see(self, grey, color, least, most, threshold, still_threshold):
        """Count, and tell whether it is background."""
        is_still = abs(grey - self.previous) < still_threshold
        self.previous = grey
        if abs(grey - self.known) < threshold:
            self.credit = min(self.credit + 1, most)
            self.stability = 0
            return self.credit > least
        if not is_still:
            self.stability = 0
            self.credit = max(self.credit - 1, 0)
            return False
        self.stability = min(self.stability + 1, most)
        if self.stability <= least:
            return False
        if self.stability < self.credit:
            self.credit -= 1
            return False
        self.known, self.picture, self.credit = grey, color, self.stability
        return True
