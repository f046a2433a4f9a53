"""Slow, obvious twin of Codebook: one pixel after the other, words as dictionaries."""

import numpy as np
from reference.footage import channels


def codebook(
    frames,
    *,
    n_words=5,
    threshold=20.0,
    shadow=0.8,
    highlight=1.2,
    patience=300,
    absence=50,
    history=1000,
    learning_rate=0.02,
    given=None,
):
    """For every frame its mask, its score, and the words of every pixel after it; `given` is the rate for apply."""
    frames, rate, step = [channels(frame) for frame in frames], learning_rate, 1
    if given is not None:
        rate, step = given, max(1, round(given * patience))
    share = round(32767 * rate)
    height, width = frames[0].shape[:2]
    places = list(np.ndindex(height, width))
    books = {place: [_word(frames[0][place], patience, 0)] + [None] * (n_words - 1) for place in places}
    answers = []
    for now, frame in enumerate(frames):
        score, learns = np.ones((height, width)), {}
        for place in places:
            for which, word in enumerate(books[place]):
                if word is None or word["age"] < patience:
                    continue
                quotient = _quotient(frame[place], word, threshold, shadow, highlight)
                score[place] = min(score[place], quotient)
                if quotient < 0.5:
                    learns[place] = which
                    break
        for start in range(0, len(places), 64):
            tile = places[start : start + 64]
            if all(learns.get(place) == 0 for place in tile):
                every = 4 if given is None else 1
                if (start // 64 + now) % every == 0:
                    for place in tile:
                        _follow(
                            books[place][0], frame[place], now, min(every * share, 32767), 164 * every, step, history
                        )
            else:
                for place in tile:
                    book = books[place]
                    which = learns.get(place)
                    if which is None:
                        which = _candidate(book, frame[place], patience, threshold, shadow, highlight)
                    if which is not None:
                        _follow(book[which], frame[place], now, share, 164, step, history)
                    else:
                        youngest = min(range(n_words), key=lambda k: (book[k]["age"] if book[k] else 0, k))
                        if book[youngest] is None or book[youngest]["age"] < patience:
                            book[youngest] = _word(frame[place], step, now)
            if (start // 64 + now) % 32 == 0:
                for place in tile:
                    _tidy(books[place], now, absence)
        answers.append((np.where(score >= 0.5, 255, 0), score, {place: list(books[place]) for place in places}))
    return answers


def _word(color, age, now):
    level = _level(color)
    return {"color": color * 128, "dark": level, "bright": level, "age": age, "last": now}


def _level(color):
    return int(np.sqrt((color**2).sum()) * 64 + 0.5)


def _quotient(color, word, threshold, shadow, highlight):
    brightness, dark, bright = np.sqrt((color**2).sum()), word["dark"] / 64, word["bright"] / 64
    low, high = shadow * bright - threshold, min(highlight * bright, dark / shadow) + threshold
    d = abs(brightness - (low + high) / 2) / ((high - low) / 2)
    if len(color) == 3:
        mean = word["color"] / 128
        norm = max((mean**2).sum(), 1)
        d = max(d, ((color**2).sum() - (color * mean).sum() ** 2 / norm) / threshold**2)
    return d / (d + 1)


def _candidate(book, color, patience, *limits):
    for which, word in enumerate(book):
        if word is not None and word["age"] < patience and _quotient(color, word, *limits) < 0.5:
            return which
    return None


def _follow(word, color, now, share, shrinking, step, history):
    word["color"] = word["color"] + ((color * 128 - word["color"]) * share >> 15)
    above, below = _level(color) - word["dark"], word["bright"] - _level(color)
    word["dark"] += above if above < 0 else above * shrinking >> 15
    word["bright"] -= below if below < 0 else below * shrinking >> 15
    word["age"] = min(word["age"] + step * (now - word["last"]), history)
    word["last"] = now


def _tidy(book, now, absence):
    ages = [word["age"] if word else 0 for word in book]
    oldest = ages.index(max(ages))
    book[0], book[oldest] = book[oldest], book[0]
    for which, word in enumerate(book[1:], 1):
        if word and now - word["last"] > max(word["age"], absence):
            book[which] = None
