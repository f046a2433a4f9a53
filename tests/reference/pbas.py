"""Slow, obvious twin of PBAS: one channel of one pixel after the other."""

import hashlib

import numpy as np
from reference.footage import channels

one = np.float32(1)


def pbas(
    frames,
    *,
    n_samples=35,
    k=2,
    radius=18.0,
    radius_scale=0.6,
    min_period=2.0,
    max_period=200.0,
    gradient_weight=10.0,
    seed=0,
    learning_rate=None,
):
    """For every frame its mask and its score."""
    frames = [channels(frame) for frame in frames]
    height, width, n_channels = shape = frames[0].shape
    slopes = gradients(frames[0])
    mean = slopes.mean(axis=(0, 1))
    samples, slope_samples = np.zeros((2, n_samples, *shape), int)
    d, r = np.zeros(shape, np.float32), np.full(shape, radius, np.float32)
    t = np.full(shape, min(max(radius, min_period), max_period), np.float32)
    key = _random(f"{seed} birth")[0]
    for which in range(n_samples):
        for y, x in np.ndindex(height, width):
            row, column = divmod(_mix(y * width + x, key + which) * 9 >> 32, 3)
            near = min(max(y + row - 1, 0), height - 1), min(max(x + column - 1, 0), width - 1)
            samples[which, y, x], slope_samples[which, y, x] = frames[0][near], slopes[near]
    answers = [(np.zeros((height, width), int), np.zeros((height, width)))]
    for seen, frame in enumerate(frames[1:], 1):
        slopes = gradients(frame)
        weight = np.minimum(256 * gradient_weight / np.maximum(mean, 1e-6), 256).astype(int)
        key, slot, other = _random(f"{seed} {seen}")
        n_slots = 1 if learning_rate is None else max(1, round(learning_rate * n_samples))
        given = None if learning_rate is None else np.float32(max(1, 1 / (learning_rate * n_samples)))
        found, told = np.zeros((height, width), bool), set()
        for y, x, c in np.ndindex(shape):
            tile, lane = divmod(y * width + x, 64)
            plane = tile * n_channels + c
            slope = abs(slopes[y, x, c] - slope_samples[:, y, x, c]) * weight[c] >> 8
            distances = np.minimum(abs(frame[y, x, c] - samples[:, y, x, c]) + slope, 255)
            is_foreground = np.count_nonzero(distances < np.ceil(r[y, x, c])) < k
            found[y, x] |= is_foreground
            period = t[y, x, c] if given is None else given
            if not is_foreground:
                for turn in range(n_slots):
                    if np.float32(_lane(lane, _mix(plane, key + turn))) * period < 65536:
                        which = (slot + turn) % n_samples
                        samples[which, y, x, c], slope_samples[which, y, x, c] = frame[y, x, c], slopes[y, x, c]
                bits = _mix(plane, key + n_slots)
                if np.float32(_lane(lane, bits)) * period < 65536:
                    row, column = divmod(_lane(lane, bits * 0x9E3779B1 % 2**32) * 9 >> 16, 3)
                    told.add((y + row - 1, x + column - 1, c))
            usual = d[y, x, c] + (np.float32(distances.min()) - d[y, x, c]) / np.float32(n_samples)
            grows = r[y, x, c] - np.float32(radius) <= np.float32(radius_scale) * usual
            r[y, x, c] *= one + np.float32(0.05) if grows else one - np.float32(0.05)
            r[y, x, c] = min(max(r[y, x, c], np.float32(radius)), np.float32(255))
            t[y, x, c] += (one if is_foreground else -np.float32(0.05)) / (usual + one)
            t[y, x, c] = min(max(t[y, x, c], np.float32(min_period)), np.float32(max_period))
            d[y, x, c] = usual
        for y, x, c in told:
            if 0 <= y < height and 0 <= x < width:
                which = other % n_samples
                samples[which, y, x, c], slope_samples[which, y, x, c] = frame[y, x, c], slopes[y, x, c]
        mean = slopes.mean(axis=(0, 1))
        padded, score = np.pad(found, 4, mode="edge"), np.zeros((height, width))
        for y, x in np.ndindex(height, width):
            score[y, x] = padded[y : y + 9, x : x + 9].mean()
        answers.append((np.where(score > 0.5, 255, 0), score))
    return answers


def gradients(frame):
    """Half the length of Sobel's gradient of each channel, 255 at most."""
    p = np.pad(frame, ((1, 1), (1, 1), (0, 0)), mode="edge")
    across, along = p[:, 2:] - p[:, :-2], p[2:] - p[:-2]
    right = across[:-2] + 2 * across[1:-1] + across[2:]
    down = along[:, :-2] + 2 * along[:, 1:-1] + along[:, 2:]
    length = np.sqrt((right**2 + down**2).astype(np.float32))
    return np.minimum(length / 2, 255).astype(int)


def _random(what):
    digest = hashlib.blake2b(what.encode(), digest_size=12).digest()
    return [int.from_bytes(digest[i : i + 4], "little") for i in (0, 4, 8)]


def _mix(number, key):
    h = number * 0x9E3779B1 % 2**32 ^ key % 2**32
    h = (h ^ h >> 16) * 0x85EBCA6B % 2**32
    h = (h ^ h >> 13) * 0xC2B2AE35 % 2**32
    return h ^ h >> 16


def _lane(lane, bits):
    h = (lane * 0x9E37 + bits) * (bits >> 16 | 1) % 2**16
    h = (h ^ h >> 7) * 0x5AE5 % 2**16
    return h ^ h >> 9
