"""Adaptive, one pixel after the other and in float64; only the filters of whole pictures are OpenCV's here, too."""

import cv2
import numpy as np
from reference.footage import channels
from scipy import ndimage


def adaptive(
    frames,
    *,
    history=1000,
    threshold=28.0,
    patience=8,
    n_modes=4,
    shadow_threshold=0.6,
    least_tolerance=0.7,
    learning_rate=0.03,
    given=None,
):
    """For every frame its mask, score and the picture of the background."""
    height, width = frames[0].shape[:2]
    places = list(np.ndindex(height, width))
    rate = given or learning_rate
    history = max(2, round(1 / given)) if given else history
    patience = min(patience, history - 1) if given else patience
    modes = {place: [[0.0, 0.0, 0.0, 0.0, 0.0] for _ in range(n_modes)] for place in places}
    tolerance, unrest, raw_before = np.ones((height, width)), np.zeros((height, width)), np.zeros((height, width), bool)
    answers = []
    for turn, frame in enumerate(frames):
        smooth = cv2.GaussianBlur(frame, (3, 3), 0.6)
        luma = smooth if frame.ndim == 2 else cv2.cvtColor(smooth, cv2.COLOR_BGR2GRAY)
        mean = cv2.blur(luma.astype(float), (7, 7))
        texture = 128 * (luma - mean) / (mean + 16)
        limit = threshold * min(1, max(luma[::4, ::4].std() / 50, 0.4))
        spread = 0 if frame.ndim == 2 else np.mean(np.ptp(frame[::8, ::8].astype(int), axis=2))
        darkest = shadow_threshold if spread > 4 else 1
        seen = {p: [*np.broadcast_to(channels(smooth)[p], 3).astype(float), texture[p]] for p in places}
        if turn == 0:
            for p in places:
                modes[p][0] = [*seen[p], 1.0]
        raw, which, shaded = np.zeros((height, width), bool), np.zeros((height, width), int), np.zeros_like(raw_before)
        score = np.zeros((height, width))
        for p in places:
            best = 1e9
            for k, mode in enumerate(modes[p][:-1]):
                d, dark = distance(seen[p], mode, limit * tolerance[p], darkest)
                if mode[4] > 0 and d < best and best > limit * tolerance[p]:
                    best, which[p], shaded[p] = d, k, dark
            raw[p], score[p] = best > limit * tolerance[p], best / (limit * tolerance[p])
        unrest = 0.975 * unrest + 0.025 * (raw != raw_before)
        raw_before = raw.copy()
        displaced = pardoned(smooth, modes, raw, cv2.blur(unrest, (9, 9)) >= 0.1, 0.7 * limit * tolerance)
        raw &= ~displaced
        shaded &= ~displaced
        clean = cleaned(raw)
        beside = cv2.dilate(np.uint8(clean), np.ones((15, 15))) > 0
        for p in places:
            if not displaced[p]:
                learn(modes[p], seen[p], raw[p], clean[p], beside[p], which[p], shaded[p],
                      limit, history, rate, patience)  # fmt: skip
            if not beside[p]:
                step = 0.1 if raw[p] else -0.003
                tolerance[p] = min(max(tolerance[p] + step, least_tolerance), 4)
            if ((p[0] * width + p[1]) // 64 + turn) % 64 == 0:
                for mode in modes[p][1:]:
                    mode[4] *= 1 - 0.032
        score = score / (score + 1)
        score = np.where(clean, np.maximum(score, 0.5), np.minimum(score, 0.5 - 1e-7))
        mask = np.where(clean, 255, np.where(majority(shaded, 5) & beside, 127, 0))
        picture = np.array([modes[p][0][: channels(frame).shape[2]] for p in places]).round().reshape(frame.shape)
        answers.append((mask, score, picture))
    return answers


def distance(here, mode, limit, darkest):
    """How far, and whether it is met as a shadow only."""
    differences = [abs(a - b) for a, b in zip(here[:3], mode[:3], strict=True)]
    color, dark = max(sum(differences) / 3, max(differences) / 1.5), False
    a = sum(x * y for x, y in zip(here[:3], mode[:3], strict=True)) / (sum(y * y for y in mode[:3]) + 1)
    shade = sum(abs(x - a * y) for x, y in zip(here[:3], mode[:3], strict=True)) + 60 * (1 - a)
    if darkest < a < 1 and shade < color:
        color, dark = shade, color > limit
    return color + 0.35 * abs(here[3] - mode[3]), dark


def pardoned(smooth, modes, raw, restless, limits):
    """Foreground whose colour the background has within two pixels."""
    height, width = raw.shape
    pixels, result = channels(smooth), np.zeros_like(raw)
    for y, x in zip(*np.nonzero(raw & restless), strict=True):
        for v, u in np.ndindex(height, width):
            if max(abs(v - y), abs(u - x)) > 2:
                continue
            d = np.abs(pixels[y, x] - modes[v, u][0][: pixels.shape[2]])
            result[y, x] |= max(d.mean(), d.max() / 1.5) <= limits[y, x]
    return result


def learn(modes, here, raw, clean, beside, k, shaded, limit, history, rate, patience):
    """What a pixel learns of a frame."""
    candidate, last = modes[-1], len(modes) - 1
    if not raw:
        if clean or (beside and shaded):
            return
        modes[k][4] = min(modes[k][4] + 1, history)
        absorb(modes[k], here, max(1 / modes[k][4], rate))
        candidate[4] = max(candidate[4] - 0.5, 0)
        if modes[k][4] > modes[0][4]:
            swap(modes, 0, k)
        return
    color = np.mean([abs(a - b) for a, b in zip(here[:3], candidate[:3], strict=True)])
    if candidate[4] > 0 and color + 0.35 * abs(here[3] - candidate[3]) < 0.8 * limit:
        candidate[4] += 1
        absorb(candidate, here, max(1 / candidate[4], rate))
    else:
        candidate[4] -= max(1, 0.2 * candidate[4])
        if candidate[4] <= 0:
            candidate[:] = [*here, 1.0]
    if beside:
        if candidate[4] > max(modes[0][4], patience):
            swap(modes, 0, last)
            modes[last][4] /= 2
    elif candidate[4] > min(modes[0][4], 6):
        weakest = min(range(1, last), key=lambda k: modes[k][4])
        swap(modes, weakest, last)
        modes[last][4] = 0.0
        if modes[weakest][4] > modes[0][4]:
            swap(modes, 0, weakest)


def absorb(mode, here, share):
    for c in range(4):
        mode[c] += share * (here[c] - mode[c])


def swap(modes, a, b):
    modes[a], modes[b] = modes[b], modes[a]


def majority(mask, side):
    return ndimage.median_filter(mask, side, mode="mirror")


def cleaned(raw):
    """Median, closing, holes that are small filled, and another median."""
    box = np.ones((5, 5))
    closed = ndimage.binary_dilation(majority(raw, 5), box)
    closed = ndimage.binary_erosion(closed, box, border_value=1)
    holes, n = ndimage.label(~closed)
    for hole in range(1, n + 1):
        here = holes == hole
        y, x = np.nonzero(here)
        at_border = y.min() == 0 or x.min() == 0 or y.max() == raw.shape[0] - 1 or x.max() == raw.shape[1] - 1
        # The area is that of the polygon through the foreground around it.
        if not at_border and outline_area(here) < raw.size / 100:
            closed |= here
    return majority(closed, min(15, max(5, 2 * (min(raw.shape) // 54) + 1)))


def outline_area(hole):
    """Of the polygon through the centres of the pixels next to the hole: each square of four centres, or half."""
    inside = np.uint8(ndimage.binary_dilation(hole))
    corners = inside[:-1, :-1] + inside[1:, :-1] + inside[:-1, 1:] + inside[1:, 1:]
    return np.count_nonzero(corners == 4) + 0.5 * np.count_nonzero(corners == 3)
