"""Slow, obvious twin of GSOC: one pixel after the other, each a list of samples."""

import hashlib

import cv2
import numpy as np
from reference.footage import channels

one = np.float32(1)


def gsoc(
    frames,
    *,
    n_samples=20,
    replace_rate=0.003,
    propagation_rate=0.01,
    hits_threshold=32,
    alpha=0.01,
    beta=0.0022,
    blinking_decay=0.1,
    blinking_multiplier=0.1,
    min_object=0.0004,
    min_hole=0.0008,
    seed=0,
    learning_rate=None,
):
    """For every frame its mask, its score and the number of samples that were replaced, by the reason."""
    frames = [channels(frame) for frame in frames]
    shape = frames[0].shape[:2]
    rate = np.float32(0.1 if learning_rate is None else learning_rate)
    step, decay = round(32768 * float(rate)), np.float32(blinking_decay)
    alpha, beta = np.float32(alpha), np.float32(beta * 255**2)
    blink = np.float32(65536 * blinking_multiplier * (1 - blinking_decay) / blinking_decay)
    pixels = {where: _Pixel(frames[0][where], n_samples) for where in np.ndindex(shape)}
    answers = [(np.zeros(shape, int), np.zeros(shape), (0, 0, 0))]
    for seen, frame in enumerate(frames[1:], 1):
        key = int.from_bytes(hashlib.blake2b(f"{seed} {seen}".encode(), digest_size=4).digest(), "little")
        found, gifts, n_given, n_replaced, n_blinked = np.zeros(shape, np.uint8), {}, 0, 0, 0
        for where, pixel in pixels.items():
            tile, lane = divmod(where[0] * shape[1] + where[1], 64)
            bits = _mix(tile, key)
            draw, other_draw = _lane(lane, bits), _lane(lane, bits * 0x2545F491 % 2**32)
            distance, nearest = pixel.nearest(frame[where])
            pixel.usual += rate * (np.float32(distance) - pixel.usual)
            found[where] = is_foreground = np.float32(distance) > alpha * pixel.usual + beta
            if not is_foreground:
                nearest.follow(frame[where], step, seen)
                if nearest.hits > hits_threshold and draw < round(65536 * propagation_rate):
                    gifts[where] = nearest.color.copy(), nearest.hits
            pixel.blinking = (pixel.blinking + np.float32(is_foreground != pixel.before)) * decay
            pixel.before = is_foreground
            if is_foreground and draw < round(65536 * replace_rate):
                pixel.oldest(seen).replace(frame[where] * 256 + 128, 0, seen)
                n_replaced += 1
            if np.float32(other_draw) < pixel.blinking * blink:
                pixel.oldest(seen).replace(frame[where] * 256 + 128, 0, seen)
                n_blinked += 1
        for (y, x), pixel in pixels.items():
            for near in ((y - 1, x), (y, x - 1), (y, x + 1), (y + 1, x)):
                if near in gifts:
                    pixel.oldest(seen).replace(*gifts[near], seen)
                    n_given += 1
        _drop(found, 1, int(min_object * found.size))
        _drop(found, 0, int(min_hole * found.size))
        blurred = _blur(255 * found)
        answers.append((np.where(blurred > 127, 255, 0), blurred / 255, (n_given, n_replaced, n_blinked)))
    return answers


class _Sample:
    """A colour in 256ths of a grey level."""

    def __init__(self, color):
        self.replace(color * 256 + 128, 0, 0)

    def replace(self, color, hits, time):
        self.color, self.hits, self.time = color, hits, time

    def follow(self, color, step, time):
        moved = self.color + ((color * 256 + 128 - self.color) * step >> 15)
        self.replace(moved, min(self.hits + 1, 255), time)


class _Pixel:
    def __init__(self, color, n_samples):
        self.samples = [_Sample(color) for _ in range(n_samples)]
        self.usual, self.blinking, self.before = np.float32(0.005 * 255**2), np.float32(0), False

    def nearest(self, color):
        """The squared distance to the nearest sample, to 4, and that sample."""
        weight = 3 if len(color) == 1 else 1
        distances = [4 * weight * int(((color - s.color // 256) ** 2 // 4).sum()) for s in self.samples]
        return min(distances), self.samples[int(np.argmin(distances))]

    def oldest(self, now):
        return max(self.samples, key=lambda sample: now - sample.time)


def _drop(found, value, least):
    """Flip connected pixels of `value` that are fewer than `least`."""
    n, labels = cv2.connectedComponents((found == value).astype(np.uint8), connectivity=8)
    for label in range(1, n):
        if np.count_nonzero(labels == label) < least:
            found[labels == label] = 1 - value


def _blur(picture):
    """(1 4 6 4 1) / 16 along both axes, to the nearest integer."""
    weights = np.array([1, 4, 6, 4, 1])
    padded = np.pad(picture.astype(int), 2, mode="reflect")
    rows = sum(w * padded[i : i + picture.shape[0]] for i, w in enumerate(weights))
    return sum(w * rows[:, i : i + picture.shape[1]] for i, w in enumerate(weights)) + 128 >> 8


def _mix(number, key):
    h = number * 0x9E3779B1 % 2**32 ^ key
    h = (h ^ h >> 16) * 0x85EBCA6B % 2**32
    h = (h ^ h >> 13) * 0xC2B2AE35 % 2**32
    return h ^ h >> 16


def _lane(lane, bits):
    h = (lane * 0x9E37 + bits) * (bits >> 16 | 1) % 2**16
    h = (h ^ h >> 7) * 0x5AE5 % 2**16
    return h ^ h >> 9
