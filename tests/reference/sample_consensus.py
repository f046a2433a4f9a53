"""Slow, obvious twin of SampleConsensus (ViBe): a list of colours per pixel."""

import hashlib

import numpy as np
from reference.footage import channels


def sample_consensus(frames, *, n_samples=20, radius=20.0, k=2, subsampling=16, seed=0, learning_rate=None):
    """For every frame its mask and its score (which counts only where the mask is 255), and at last the samples."""
    frames = [channels(frame) for frame in frames]
    height, width, n_channels = frames[0].shape
    limit = int(radius * (4.5 if n_channels == 3 else 1))
    samples = np.zeros((n_samples, height, width, n_channels), int)
    nothing = np.zeros((height, width), int)
    for slot in range(n_samples):
        _learn(samples, frames[0], nothing, 1, slot, slot, _random(f"{seed} birth {slot}")[0])
    answers = [(nothing, nothing)]
    for seen, frame in enumerate(frames[1:], 1):
        mask, score = np.zeros((height, width), int), np.zeros((height, width))
        for y in range(height):
            for x in range(width):
                distances = sorted(min(abs(frame[y, x] - sample[y, x]).sum(), 255) for sample in samples)
                mask[y, x] = 255 if distances[k - 1] > limit else 0
                score[y, x] = distances[k - 1] / (distances[k - 1] + limit + 1)
        key, own, other = _random(f"{seed} {seen}")
        overwritten = 1 / subsampling if learning_rate is None else learning_rate * n_samples
        for turn in range(max(1, round(overwritten))):
            places = (own + turn) % n_samples, (other + turn) % n_samples
            _learn(samples, frame, mask, max(1, round(1 / overwritten)), *places, key + turn)
        answers.append((mask, score))
    return answers, samples


def _learn(samples, frame, mask, every, own, other, key):
    height, width = mask.shape
    for y in range(height):
        for first in range(0, width, every):
            h = _hash((y * width + first) * 0x9E3779B1 % 2**32 ^ key % 2**32)
            x = first + (h % 2**16 * every >> 16)
            if x < width and mask[y, x] == 0:
                samples[own, y, x] = frame[y, x]
            x = first + ((h >> 16) * every >> 16)
            row, column = divmod((h * 0x2545F491 % 2**32) * 9 >> 32, 3)
            near = y + row - 1, x + column - 1
            if x < width and 0 <= near[0] < height and 0 <= near[1] < width and mask[near] == 0:
                samples[other, y, x] = frame[near]


def _random(what):
    digest = hashlib.blake2b(what.encode(), digest_size=12).digest()
    return [int.from_bytes(digest[i : i + 4], "little") for i in (0, 4, 8)]


def _hash(h):
    h = (h ^ h >> 16) * 0x85EBCA6B % 2**32
    h = (h ^ h >> 13) * 0xC2B2AE35 % 2**32
    return h ^ h >> 16
