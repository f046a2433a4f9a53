"""Words of the whole picture, and where each is common: the second opinion of PAWCS.

Numba's cache of a model that uses these kernels does not see edits here: delete it after one.
"""

from __future__ import annotations

import numpy as np

from motionseg.background._lbsp import TILE, count_bits, mixed, place_among
from motionseg.core.jit import kernel

__all__ = ["COUNT", "FIRST", "LAST", "is_like", "learn_presence", "pardon", "worth"]

# Rows of a word's stamps: frames in which it occurred (0: unused), the first and the last of them.
COUNT, FIRST, LAST = range(3)

_FLAT = 4  # bits of a pattern, up to which there is no texture
_EVERY = 16  # cells look up their word as often as that, on average


@kernel
def worth(count, first, last, now, inertia):
    """What a word is worth: how large a part of the time it has been seen, if for long."""
    return count / (last - first + np.float32(2) * (now - last) + inertia)


@kernel
def is_like(features, x, dictionary, m, levels, bits):
    """Whether pixel x of a row is within so many levels and bits, over all channels, of word m."""
    distance, flipped = 0, 0
    for c in range(0, features.shape[0], 3):
        distance += abs(np.int64(features[c, x]) - np.int64(dictionary[m, c]))
        first, second = features[c + 1, x] ^ dictionary[m, c + 1], features[c + 2, x] ^ dictionary[m, c + 2]
        flipped += np.int64(count_bits(np.uint8(first), np.uint8(second)))
    return distance <= levels and flipped <= bits


@kernel
def pardon(features, dictionary, presence, goal, found, color, texture):
    """What global words that are common around foreground pixels of a row, and like them, are worth to them."""
    n_channels = features.shape[0] // 3
    for x in range(found.shape[0]):
        if found[x] >= goal[x]:
            continue
        common, extra, bits = presence[x // 2], np.float32(0), 0
        for m in range(dictionary.shape[0]):
            if common[m] > 0 and is_like(features, x, dictionary, m, color[x], texture[x]):
                extra += common[m]
        for c in range(n_channels):
            bits += np.int64(count_bits(features[3 * c + 1, x], features[3 * c + 2, x]))
        extra = extra / np.float32(4 if bits <= _FLAT else 8)
        if found[x] + extra >= goal[x]:
            found[x] = goal[x]


@kernel
def learn_presence(
    start, stop, features, raw, stamps, dictionary, presence, levels, bits, key, now, inertia, strangers
):
    """Cells start .. stop of 2 x 2 pixels: how much each global word is worth there, now and then, from one background
    pixel of the 4 x 4; strangers (rows of cells) <- a pixel that no word is like, or -1.
    """
    height, width = raw.shape
    for row in range(start, stop):
        strangers[row] = -1
        for column in range(presence.shape[1]):
            drawn = mixed(key, row * presence.shape[1] + column)
            if place_among(drawn, _EVERY) != 0:
                continue
            y = min(max(2 * row - 1 + place_among(mixed(drawn, 1), 4), 0), height - 1)
            x = min(max(2 * column - 1 + place_among(mixed(drawn, 2), 4), 0), width - 1)
            if raw[y, x] != 0:
                continue
            stamp, i, some = stamps[y, x // TILE, 0], x % TILE, False
            weight = worth(stamp[COUNT, i], stamp[FIRST, i], stamp[LAST, i], now, inertia)
            for m in range(dictionary.shape[0]):
                alike = is_like(features[y], x, dictionary, m, levels, bits)
                some |= alike
                share = presence[row, column, m]
                presence[row, column, m] = share + ((weight if alike else np.float32(0)) - share) / np.float32(10)
            if not some:
                strangers[row] = y * width + x
