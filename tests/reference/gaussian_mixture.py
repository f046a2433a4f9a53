"""Slow, obvious twin of GaussianMixture: Zivkovic's equations for one pixel after another, in double precision."""

import numpy as np
from reference.footage import channels


def gaussian_mixture(frames, **numbers):
    """For every frame its mask and its score; `numbers` are the parameters of GaussianMixture, all of them."""
    p = numbers
    first = channels(frames[0])
    pixels = [[[1.0, color.astype(float), p["var_init"]]] for color in first.reshape(-1, first.shape[2])]
    answers = [(np.zeros(first.shape[:2], int), np.zeros(first.shape[:2]))]
    for seen, frame in enumerate(frames[1:], 1):
        alpha = 1 / min(2 * (seen + 1), p["history"])
        colors = channels(frame).reshape(len(pixels), -1)
        answer = [_step(modes, color, alpha, p) for modes, color in zip(pixels, colors, strict=True)]
        mask, score = (np.array(column).reshape(first.shape[:2]) for column in zip(*answer, strict=True))
        answers.append((mask, score))
    return answers


def _step(modes, color, alpha, p):
    """Classify `color`, learn it in `modes`, a list of [weight, mean, variance] with the heaviest first."""
    is_background, owner, total, quotient = False, None, 0.0, 1.0
    for mode in list(modes):
        weight, mean, variance = mode
        weight = (1 - alpha) * weight - alpha * p["complexity_reduction"]
        if owner is None:
            difference = color - mean
            d2 = difference @ difference
            if total < p["background_ratio"]:
                is_background |= bool(d2 < p["threshold"] * variance)
                quotient = min(quotient, d2 / (d2 + p["threshold"] * variance))
            if d2 < p["generate_threshold"] * variance:
                owner = mode
                weight += alpha
                mode[1] = mean + alpha / weight * difference
                mode[2] = np.clip(variance + alpha / weight * (d2 - variance), p["var_min"], p["var_max"])
        mode[0] = weight
        if weight < alpha * p["complexity_reduction"]:
            modes.remove(mode)
            continue
        total += weight
    for mode in modes:
        mode[0] /= total
    is_shadow = p["detect_shadows"] and not is_background and _is_shadow(modes, color, p)
    if owner is None:
        if len(modes) == p["n_components"]:
            modes.pop()
        for mode in modes:
            mode[0] *= 1 - alpha
        owner = [alpha if modes else 1.0, color.astype(float), p["var_init"]]
        modes.append(owner)
    _move_up(modes, owner)
    if is_background:
        return 0, quotient
    return (127, quotient / 2) if is_shadow else (255, max(quotient, 0.5))


def _move_up(modes, owner):
    place = next(i for i, mode in enumerate(modes) if mode is owner)
    while place > 0 and modes[place][0] >= modes[place - 1][0]:
        modes[place], modes[place - 1] = modes[place - 1], modes[place]
        place -= 1


def _is_shadow(modes, color, p):
    total = 0.0
    for weight, mean, variance in modes:
        if total > p["background_ratio"]:
            return False
        dot, norm = color @ mean, mean @ mean
        if norm > 0 and p["shadow_threshold"] * norm <= dot <= norm:
            a = dot / norm
            d = a * mean - color
            if d @ d < p["threshold"] * variance * a * a:
                return True
        total += weight
    return False
