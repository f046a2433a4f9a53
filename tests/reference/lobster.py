"""LOBSTER, one pixel after the other; and what SuBSENSE and PAWCS share with it: patterns, samples, random numbers."""

import hashlib

import numpy as np
from reference.footage import channels

# The pattern: a double cross, row by row of the 5 x 5.
CROSS = [(y, x) for y, row in zip(range(-2, 3), ("x.x.x", ".xxx.", "xx.xx", ".xxx.", "x.x.x"), strict=True)
         for x, c in zip(range(-2, 3), row, strict=True) if c == "x"]  # fmt: skip
OWN, NEAR, WIDE, EAGER = range(4)


def lobster(
    frames,
    *,
    n_samples=35,
    color_threshold=30,
    texture_threshold=4,
    relative_threshold=0.333,
    period=16.0,
    seed=0,
    learning_rate=None,
):
    """Masks and scores of grey or BGR frames."""
    (height, width), n_channels = frames[0].shape[:2], channels(frames[0]).shape[2]
    relative = relative_of(relative_threshold, n_channels)
    samples = first_samples(describe(frames[0], relative, 0)[0], n_samples, frame_key(seed, 0, "seed"))
    limits = n_channels * color_threshold, n_channels * texture_threshold
    most = [limit // 2 for limit in limits] if n_channels > 1 else limits  # in one channel
    answers = []
    for i, frame in enumerate(frames):
        features, around, _ = describe(frame, relative, 0)
        raw = np.zeros((height, width), bool)
        for y, x in np.ndindex(height, width):

            def near(sample, here=features[y][x], around=around[y, x]):
                colors = abs(sample[0] - here[0])
                textures = texture_distances(sample, here, around, relative, 0)
                fits = colors.max() <= most[0] and textures.max() <= most[1]
                return fits and colors.sum() <= limits[0] and textures.sum() <= limits[1]

            raw[y, x] = len(look_through(samples[y][x], near, True)) < 2
        rate, n_places = (1 / period, 1) if learning_rate is None else share(learning_rate, n_samples)
        chances = np.zeros((4, height, width), int)
        chances[[OWN, NEAR]] = ~raw * min(int(65536 * rate), 65535)
        remember(samples, features, chances, frame_key(seed, i), n_places)
        score = np.zeros((height, width), np.float32)
        padded = np.pad(raw, 4, mode="edge")
        for y, x in np.ndindex(height, width):
            score[y, x] = np.float32(padded[y : y + 9, x : x + 9].sum()) / np.float32(81)
        answers.append((np.where(score > 0.5, 255, 0), score))
    return answers


# --- features ----------------------------------------------------------------------------------


def relative_of(threshold, n_channels):
    return round(256 * threshold / (3 if n_channels == 1 else 1))


def describe(frame, relative, shift):
    """Features of each pixel (colours, patterns), surroundings (H, W, C, 16), and the share of pixels with texture."""
    frame = channels(frame)
    height, width = frame.shape[:2]
    padded = np.pad(frame, ((2, 2), (2, 2), (0, 0)), mode="edge")
    shifted = [padded[2 + y : 2 + y + height, 2 + x : 2 + x + width] for y, x in CROSS]
    around = np.stack(shifted, axis=-1)
    patterns = pattern(around, frame, relative, shift)
    features = [[(frame[y, x], patterns[y, x]) for x in range(width)] for y in range(height)]
    return features, around, np.mean(patterns.sum(axis=(2, 3)) >= 4)


def pattern(around, reference, relative, shift):
    """Which of the 16 pixels around differ from the reference, in each channel."""
    threshold = (reference * relative + 128 >> 8) + shift
    least, most = reference * (relative // 4) + 255 >> 8, 255 * relative >> 8
    return abs(around - reference[..., None]) > np.clip(threshold, least, most)[..., None]


def texture_distances(sample, here, around, relative, shift):
    """Differing bits in each channel: the mean of those of the intra and of the inter pattern."""
    inter = pattern(around, sample[0], relative, shift)
    return ((here[1] != sample[1]).sum(axis=1) + (inter != sample[1]).sum(axis=1)) // 2


# --- samples -----------------------------------------------------------------------------------


def look_through(samples, near, learn):
    """What `near` says of the first two samples that are; a late one changes places with a first that is not."""
    found, is_first_lost = [], True
    for k in range(len(samples)):
        answer = near(samples[k])
        if not answer:
            continue
        if learn and k >= 2:
            place = 0 if is_first_lost else 1
            samples[k], samples[place] = samples[place], samples[k]
        if k != 1:
            is_first_lost = False
        found.append(answer)
        if len(found) == 2:
            break
    return found


def first_samples(features, n_samples, key, samples=None, n_places=None):
    """For each pixel a list of samples from its neighbourhood; or `samples`, `n_places` of which are overwritten."""
    height, width = len(features), len(features[0])
    samples = samples or [[[None] * n_samples for _ in range(width)] for _ in range(height)]
    n_places, n_tiles = n_places or n_samples, -(-width // 64)
    spread = (-3, -2, -2, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3)
    for y, x, k in np.ndindex(height, width, n_places):
        tile, lane = divmod(x, 64)
        bits = mixed(key, ((y * n_tiles + tile) * n_places + k) * 64 + lane + 1)
        row, column = y + spread[bits % 16], x + spread[bits // 16 % 16]
        place = (place_among(mixed(key, y * n_tiles + tile), n_samples) + k) % n_samples
        samples[y][x][place] = features[min(max(row, 0), height - 1)][min(max(column, 0), width - 1)]
    return samples


def share(learning_rate, n_samples):
    """The odds of each of so many places to be overwritten."""
    n_places = max(1, int(np.ceil(learning_rate * n_samples)))
    return learning_rate * n_samples / n_places, n_places


def remember(samples, features, chances, key, n_places):
    """Each pixel overwrites samples, with itself, and with neighbours in the 3 x 3 and in the 5 x 5."""
    height, width = len(features), len(features[0])
    for y, x, which in np.ndindex(height, width, 3 * n_places):
        (tile, lane), (turn, kind) = divmod(x, 64), divmod(which, 3)
        bits = mixed(key, (y * -(-width // 64) + tile) * 3 * n_places + which)
        dy, dx = offset(bits, kind)
        row, column = y + dy, x + dx
        if not (0 <= row < height and 0 <= column < width):
            continue
        odds = chances[kind, row, column]
        if kind != OWN and odds > 0:
            odds = max(odds, chances[EAGER, y, x])
        if lot(lane, bits) < odds:
            place = (place_among(mixed(bits, 2), len(samples[y][x])) + turn) % len(samples[y][x])
            samples[y][x][place] = features[row][column]


def offset(bits, kind):
    """Rows and columns to a random neighbour."""
    if kind == OWN:
        return 0, 0
    reach = {NEAR: 1, WIDE: 2}[kind]
    offsets = [(dy, dx) for dy in range(-reach, reach + 1) for dx in range(-reach, reach + 1) if dy or dx]
    return offsets[place_among(mixed(bits, 1), len(offsets))]


# --- random numbers ----------------------------------------------------------------------------


def frame_key(seed, frame, purpose=""):
    return int.from_bytes(hashlib.blake2b(f"{seed} {frame} {purpose}".encode(), digest_size=4).digest(), "little")


def mixed(key, unit):
    h = unit * 0x9E3779B1 % 2**32 ^ key
    h = (h ^ h >> 16) * 0x85EBCA6B % 2**32
    h = (h ^ h >> 13) * 0xC2B2AE35 % 2**32
    return h ^ h >> 16


def lot(lane, bits):
    h = (lane * 0x9E37 + bits) * (bits >> 16 | 1) % 2**16
    h = (h ^ h >> 7) * 0x5AE5 % 2**16
    return h ^ h >> 9


def place_among(bits, n):
    return bits * n >> 32
