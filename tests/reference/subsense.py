"""SuBSENSE, one pixel after the other."""

from collections import deque

import cv2
import numpy as np
from reference.footage import channels
from reference.lobster import (
    EAGER,
    NEAR,
    OWN,
    WIDE,
    describe,
    first_samples,
    frame_key,
    look_through,
    relative_of,
    remember,
    share,
    texture_distances,
)

f32 = np.float32
TENTH = f32(0.1)


@np.errstate(divide="ignore")  # where a pixel has never differed from a sample, T falls to its lower limit at once
def subsense(
    frames,
    *,
    n_samples=50,
    color_threshold=30,
    texture_threshold=3,
    relative_threshold=0.333,
    t_lower=2.0,
    t_upper=256.0,
    history=100,
    seed=0,
    learning_rate=None,
    usual_area=320 * 240,
):
    """Masks and scores of grey or BGR frames."""
    shape, n_channels = frames[0].shape[:2], channels(frames[0]).shape[2]
    area, relative = shape[0] * shape[1], relative_of(relative_threshold, n_channels)
    previous, _, _ = describe(frames[0], relative, 0)
    samples = first_samples(previous, n_samples, frame_key(seed, 0, "seed"))
    feedback = Feedback(shape, t_lower)
    coarse, shift, cooldown = [shrunk(frames[0])] * 2, 0, 0
    answers = []
    for i, frame in enumerate(frames):
        features, around, textured = describe(frame, relative, shift)
        windows = [f32(min(i + 1, n)) for n in (history, history // 4)]
        low, high = t_lower * 2, t_upper * 2
        if 2 * area >= usual_area:
            coarse = [c + (shrunk(frame) - c) / n for c, n in zip(coarse, windows, strict=True)]
            difference = abs(coarse[0] - coarse[1]).mean(axis=(0, 1)).max()
            cooldown = max(cooldown - 1, 0)
            if difference >= color_threshold / 2 and cooldown == 0:
                n_places = max(1, n_samples // 10)
                previous, cooldown = features, 25
                first_samples(features, n_samples, frame_key(seed, i, "seed"), samples, n_places)
                feedback.t[:] = 1
            faster = 2 ** int(difference / 2) if difference >= color_threshold / 4 else 1
            low, high = max(t_lower / faster, 1), max(t_upper / faster, 1)
        given, n_places = (None, 1) if learning_rate is None else share(learning_rate, n_samples)
        low, high = f32(low), f32(high)
        raw, distance, chances = np.zeros(shape, bool), np.zeros(shape, f32), np.zeros((4, *shape), int)
        for p in np.ndindex(shape):
            y, x = p
            margin = color_threshold // 5
            *limits, unstable = feedback.limits(p, n_channels, color_threshold, margin, texture_threshold)

            def near(sample, here=features[y][x], around=around[p], shift=shift, limits=limits):
                colors = abs(here[0] - sample[0])
                flipped = texture_distances(sample, here, around, relative, shift)
                sums = np.minimum(colors + flipped // 2 * 15, 255)
                fits = sums.max() <= limits[0] // 2 and sums.sum() <= limits[0] and flipped.sum() <= limits[1]
                return (sums.sum(), flipped.sum()) if fits else None

            found = look_through(samples[y][x], near, True)
            least = [min((f[k] for f in found), default=n * n_channels) for k, n in enumerate((255, 16))]
            d = (f32(least[0]) / f32(255 * n_channels) + f32(least[1]) / f32(16 * n_channels)) / f32(2)
            d = min(d + f32(2 - len(found)) / f32(2), f32(1))
            distance[p], raw[p] = d, len(found) < 2

            feedback.adapt(p, d, raw[p], movement(features[y][x], previous[y][x]), unstable, windows, low, high)

            wide = unstable or area > 2 * usual_area
            if not raw[p]:
                chances[OWN][p] = lots(65536 / feedback.t[p] if given is None else 65536 * f32(given))
                chances[NEAR][p] = 0 if wide else chances[OWN][p]
                far = f32(65536) / (feedback.t[p] / f32(2) + f32(1)) if given is None else 65536 * f32(given)
                chances[WIDE][p] = lots(far) if wide else 0
            elif cooldown > 0:
                chances[OWN][p] = lots(f32(65536) / low)
            if feedback.is_ghost(p):
                chances[EAGER][p] = lots(f32(65536) / low)
        clean = tidied(raw, min(9 + int(area / usual_area + 0.5), 14))
        remember(samples, features, chances, frame_key(seed, i), n_places)
        feedback.remember_masks(raw, clean, windows)
        previous = features
        shift += int(textured > 0.5) - int(textured < 0.1)
        answers.append((np.where(clean, 255, 0), settled(distance, clean)))
    return answers


class Feedback:
    """Thresholds and rates of all pixels, and the averages that they follow."""

    def __init__(self, shape, period):
        self.r, self.t, self.v = (np.full(shape, value, f32) for value in (1, period, 10))
        self.nearest, self.cleaned = ([np.zeros(shape, f32) for _ in range(2)] for _ in range(2))
        self.change, self.foreground = np.zeros(shape, f32), np.zeros(shape, f32)
        self.last_raw, self.last_clean, self.last_changed, self.blinks = (np.zeros(shape, bool) for _ in range(4))

    def limits(self, p, n_channels, base, margin, offset):
        r = self.r[p]
        unstable = r > 3 or self.cleaned[0][p] > TENTH or self.cleaned[1][p] > TENTH
        levels = int(min(r * f32(base), f32(255)))
        bits = 2 ** min(max(int(np.floor(r + f32(0.5))), 1), 4)
        color = n_channels * (levels - (0 if unstable else margin))
        return color, n_channels * (bits + offset * (2 if unstable else 1)), unstable

    def adapt(self, p, d, raw, moved, unstable, windows, low, high):
        self.change[p] += (moved - self.change[p]) / windows[1]
        self.foreground[p] += (f32(raw) - self.foreground[p]) / windows[1]
        for average, n in zip(self.nearest, windows, strict=True):
            average[p] += (d - average[p]) / n
        smaller, larger = sorted(average[p] for average in self.nearest)
        r, t, v, was_clean = self.r, self.t, self.v, self.last_clean[p]
        if was_clean or (smaller < TENTH and raw):
            t[p] += f32(0.5) / (larger * v[p])
        else:
            t[p] -= v[p] / f32(4) / larger
        t[p] = min(max(t[p], low), high)
        if larger > TENTH and self.blinks[p]:
            v[p] += f32(1)
        else:
            v[p] = max(v[p] - f32(0.025 if was_clean else 0.05 if unstable else 0.1), TENTH)
        target = f32(1) + f32(2) * smaller
        r[p] += (v[p] - TENTH) / f32(100) if r[p] < target * target else -(f32(0.01) / v[p])
        r[p] = max(r[p], f32(1))

    def is_ghost(self, p):
        return self.foreground[p] > f32(0.995) and self.change[p] < f32(0.01)

    def remember_masks(self, raw, clean, windows):
        for average, n in zip(self.cleaned, windows, strict=True):
            average += (raw.astype(f32) - clean.astype(f32) - average) / n
        changed = raw != self.last_raw
        self.blinks = (changed | self.last_changed) & ~grown(clean, 3)
        self.last_raw, self.last_clean, self.last_changed = raw, clean, changed


def movement(here, before):
    moved = f32(abs(here[0] - before[0]).sum()) / f32(255 * len(here[0]))
    return (moved + f32((here[1] != before[1]).sum()) / f32(16 * len(here[0]))) / f32(2)


def settled(score, mask):
    """The score, on the side of one half that the mask is on."""
    return np.where(mask, np.maximum(score, f32(0.5)), np.minimum(score, np.nextafter(f32(0.5), f32(0))))


def lots(odds):
    return int(min(odds, 65535))


def shrunk(frame):
    size = -(-frame.shape[1] // 8), -(-frame.shape[0] // 8)
    return channels(cv2.resize(frame, size, interpolation=cv2.INTER_AREA)).astype(f32)


def tidied(raw, side):
    """The median of the mask with the holes that a closing leaves, and with what remains of the closing eroded."""
    closed = shrunken(grown(raw, 1), 1)
    whole = raw | holes(closed) | shrunken(closed, 3)
    reach = (side - 1 + side % 2) // 2
    padded, result = np.pad(whole, reach, mode="edge"), np.zeros_like(raw)
    for y, x in np.ndindex(raw.shape):
        result[y, x] = padded[y : y + 2 * reach + 1, x : x + 2 * reach + 1].mean() > 0.5
    return result


def grown(mask, n):
    result = np.zeros_like(mask)
    for y, x in np.ndindex(mask.shape):
        result[y, x] = mask[max(y - n, 0) : y + n + 1, max(x - n, 0) : x + n + 1].any()
    return result


def shrunken(mask, n):
    return ~grown(~mask, n)


def holes(mask):
    """What is not in the mask, and cannot be reached from outside in steps along rows and columns."""
    outside = np.pad(np.zeros_like(mask), 1)
    free, queue = np.pad(~mask, 1, constant_values=True), deque([(0, 0)])
    while queue:
        y, x = queue.popleft()
        if 0 <= y < free.shape[0] and 0 <= x < free.shape[1] and free[y, x] and not outside[y, x]:
            outside[y, x] = True
            queue.extend(((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)))
    return ~(outside[1:-1, 1:-1] | mask)
