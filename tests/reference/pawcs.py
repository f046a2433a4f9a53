"""PAWCS, one pixel after the other."""

import numpy as np
from reference.footage import channels
from reference.lobster import (
    EAGER,
    NEAR,
    OWN,
    WIDE,
    describe,
    frame_key,
    lot,
    mixed,
    offset,
    place_among,
    relative_of,
    texture_distances,
)
from reference.subsense import Feedback, lots, movement, settled, shrunk, tidied

f32 = np.float32


class Word:
    def __init__(self, look, now):
        self.look, self.count, self.first, self.last = look, f32(1), f32(now), f32(now)

    def worth(self, now, inertia):
        return self.count / (self.last - self.first + f32(2) * (f32(now) - self.last) + f32(inertia))

    def occur(self, now, count=1):
        self.count += f32(count)
        self.last = f32(now)


@np.errstate(divide="ignore")
def pawcs(
    frames,
    *,
    n_words=25,
    n_global_words=50,
    color_threshold=20,
    texture_threshold=2,
    relative_threshold=0.333,
    inertia=1000.0,
    t_lower=1.0,
    t_upper=256.0,
    history=100,
    seed=0,
    learning_rate=None,
    usual_area=320 * 240,
):
    """Masks and scores of grey or BGR frames; the global words' colours, and how common they are."""
    shape, n_channels = frames[0].shape[:2], channels(frames[0]).shape[2]
    area, relative = shape[0] * shape[1], relative_of(relative_threshold, n_channels)
    alike = n_channels * color_threshold, n_channels * (2 + texture_threshold)
    previous, _, _ = describe(frames[0], relative, 0)
    words = [[[Word(look, 0)] for look in row] for row in previous]
    places = [divmod(frame_key(seed, m, "place") % area, shape[1]) for m in range(n_global_words)]
    dictionary = [previous[y][x] for y, x in places]
    presence = np.zeros((-(-shape[0] // 2), -(-shape[1] // 2), n_global_words), f32)
    feedback = Feedback(shape, t_lower)
    coarse, shift, cooldown = [shrunk(frames[0])] * 2, 0, 0
    answers = []
    for now, frame in enumerate(frames):
        features, around, textured = describe(frame, relative, shift)
        windows = [f32(min(now + 1, n)) for n in (history, history // 4)]
        if 2 * area >= usual_area:
            cooldown = max(cooldown - 1, 0)
            coarse = [c + (shrunk(frame) - c) / n for c, n in zip(coarse, windows, strict=True)]
            if abs(coarse[0] - coarse[1]).mean(axis=(0, 1)).max() >= 15 and cooldown == 0:
                words, previous, cooldown = [[[Word(look, now)] for look in row] for row in features], features, 25
                feedback.t[:] = 1
        raw, distance, chances = np.zeros(shape, bool), np.zeros(shape, f32), np.zeros((4, *shape), int)
        for p in np.ndindex(shape):
            y, x = p
            *limits, unstable = feedback.limits(p, n_channels, color_threshold, 0, texture_threshold)
            grows = 1 if cooldown > 0 or not feedback.last_clean[p] else 0
            goal = words[y][x][0].worth(now, inertia) / (f32(2) * feedback.r[p])

            def near(look, here=features[y][x], around=around[p], shift=shift, limits=limits):
                colors, flipped = abs(here[0] - look[0]), texture_distances(look, here, around, relative, shift)
                fits = colors.max() <= limits[0] // 2 and colors.sum() <= limits[0] and flipped.sum() <= limits[1]
                return (colors.sum(), flipped.sum()) if fits else None

            found, least = look_through(words[y][x], near, goal, features[y][x], limits, grows, now, inertia)
            least = least or [(255 * n_channels, 16 * n_channels)]
            d = f32(min(levels for levels, _ in least)) / f32(255 * n_channels)
            d = (d + f32(min(bits for _, bits in least)) / f32(16 * n_channels)) / f32(2)
            if found < goal:
                common = [m for m in range(n_global_words) if presence[y // 2, x // 2, m] > 0]
                extra = f32(0)
                for m in common:
                    extra += presence[y // 2, x // 2, m] if is_like(features[y][x], dictionary[m], *limits) else f32(0)
                extra /= f32(4 if features[y][x][1].sum() <= 4 else 8)
                found = goal if found + extra >= goal else found
            distance[p] = min(d + max(goal - found, f32(0)) / goal, f32(1))
            raw[p] = found < goal

            moved = movement(features[y][x], previous[y][x])
            feedback.adapt(p, distance[p], raw[p], moved, unstable, windows, f32(t_lower), f32(t_upper))

            given = lots(65536 * f32(learning_rate or 0))
            if found < f32(1) / f32(inertia):
                chances[OWN][p] = 65535 if cooldown > 0 else given or lots(f32(65536) / feedback.t[p])
            if not raw[p]:
                chances[WIDE if unstable or area > 2 * usual_area else NEAR][p] = given or 4096
            chances[EAGER][p] = 65535 if feedback.is_ghost(p) else 0
        clean = tidied(raw, min(9 + int(area / usual_area + 0.5), 14))
        learn_words(words, features, chances, n_words, alike, frame_key(seed, now), now)
        key = frame_key(seed, now, "global")
        learn_global_words(dictionary, presence, features, raw, words, alike, key, now, inertia)
        feedback.remember_masks(raw, clean, windows)
        previous = features
        shift += int(textured > 0.5) - int(textured < 0.1)
        answers.append((np.where(clean, 255, 0), settled(distance, clean)))
    return answers, [color for color, _ in dictionary], presence


def look_through(words, near, goal, here, limits, grows, now, inertia):
    """What the words that are near are worth, until that is enough; and how near they are."""
    found, least, before = f32(0), [], f32(2)
    for k, word in enumerate(words):
        worth, answer = word.worth(now, inertia), near(word.look)
        if answer:
            least.append(answer)
            found += worth
            word.occur(now, grows)
            if grows and 2 * answer[0] >= limits[0] and 2 * answer[1] <= limits[1]:
                word.look = here
            if k > 0 and worth > before:
                words[k - 1], words[k] = words[k], words[k - 1]
                worth = before
            if found >= goal:
                break
        before = worth
    return found, least


def is_like(look, other, levels, bits):
    return abs(look[0] - other[0]).sum() <= levels and (look[1] != other[1]).sum() <= bits


def learn_words(words, features, chances, n_words, alike, key, now):
    """New words of pixels themselves and of random neighbours; what is known already counts."""
    height, width = len(features), len(features[0])
    for y, x, kind in np.ndindex(height, width, 3):
        tile, lane = divmod(x, 64)
        bits = mixed(key, (y * -(-width // 64) + tile) * 3 + kind)
        dy, dx = offset(bits, kind)
        row, column = y + dy, x + dx
        if not (0 <= row < height and 0 <= column < width):
            continue
        odds = chances[kind, row, column]
        if kind != OWN and odds > 0:
            odds = max(odds, chances[EAGER, y, x])
        if lot(lane, bits) >= odds:
            continue
        known = [word for word in words[y][x] if kind != OWN and is_like(features[row][column], word.look, *alike)]
        if known:
            known[0].occur(now)
        else:
            words[y][x][n_words - 1 :] = []
            words[y][x].append(Word(features[row][column], now))


def learn_global_words(dictionary, presence, features, raw, words, alike, key, now, inertia):
    """Cells of 2 x 2 pixels look at a random one of the 4 x 4, now and then."""
    strangers = {}
    for row, column in np.ndindex(presence.shape[:2]):
        bits = mixed(key, row * presence.shape[1] + column)
        if place_among(bits, 16) != 0:
            continue
        y = min(max(2 * row - 1 + place_among(mixed(bits, 1), 4), 0), raw.shape[0] - 1)
        x = min(max(2 * column - 1 + place_among(mixed(bits, 2), 4), 0), raw.shape[1] - 1)
        if raw[y, x]:
            continue
        likes = [is_like(features[y][x], word, *alike) for word in dictionary]
        worth = np.where(likes, words[y][x][0].worth(now, inertia), f32(0))
        presence[row, column] += (worth - presence[row, column]) / f32(10)
        if not any(likes):
            strangers[row] = features[y][x]
    if strangers and now % 8 == 0:
        least = presence.sum(axis=(0, 1), dtype=float).argmin()
        dictionary[least] = list(strangers.values())[key % len(strangers)]
        presence[:, :, least] = 0
