"""Slow, obvious twin of Eigenbackground: frames as vectors, components turned one after the other."""

import numpy as np
from reference.footage import channels


def eigenbackground(frames, *, n_components=3, threshold=25.0, learning_rate=0.01, given=None):
    """For every frame its mask, its score, and mean and components after it; `given` is the rate for apply."""
    shape = channels(frames[0]).shape
    mean, components, answers = channels(frames[0]).ravel().astype(float), [], []
    for seen, frame in enumerate(frames):
        deviation = channels(frame).ravel() - mean
        basis = np.array([v / np.linalg.norm(v) for v in components]).reshape(-1, mean.size).T
        outliers = np.zeros(mean.size)
        for _ in range(5):
            coefficients = np.linalg.lstsq(basis, deviation - outliers, rcond=None)[0]
            rest = deviation - basis @ coefficients
            outliers = np.sign(rest) * np.maximum(abs(rest) - threshold, 0)
        distance = abs(rest).reshape(shape).max(axis=2)
        mask = np.where(distance > threshold, 255, 0)
        rate = max(learning_rate, 1 / (seen + 1)) if given is None else given
        x = deviation - outliers
        mean = mean + rate * x
        for k, v in enumerate(components):
            unit = v / np.linalg.norm(v)
            part = x @ unit
            components[k] = v + rate * (part * x - v)
            x = x - part * unit
        if len(components) < n_components and x.any():
            components.append(x)
        answers.append((mask, distance / (distance + threshold), mean, list(components)))
    return answers
