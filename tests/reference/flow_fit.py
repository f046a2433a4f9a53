"""The camera's motion from flow, and parallax, in slow and obvious numpy."""

import numpy as np


def place(theta, points):
    """Where points (N, 2) go, and what they are divided by."""
    x, y = points.T
    if len(theta) == 8:
        u, v, w = np.append(theta, 1).reshape(3, 3) @ np.stack([x, y, np.ones(len(x))])
        return np.stack([u / w, v / w], axis=1), w
    terms = np.stack([np.ones(len(x)), x, y, x * x, x * y, y * y])
    return (theta.reshape(2, 6) @ terms).T, np.ones(len(x))


def distances(theta, points, targets):
    to, w = place(theta, points)
    return np.where(w > 0, np.linalg.norm(to - targets, axis=1), np.inf)


def best_trial(trials, points, targets, weights, tolerance):
    costs = [np.sum(weights * np.minimum(distances(t, points, targets), tolerance) ** 2) for t in trials]
    return int(np.argmin(costs))


def normal_equations(theta, points, targets, weights, missed, width, step=1e-6):
    """By differences instead of derivatives."""
    tukey = weights * np.where(missed < width, (1 - np.minimum(missed / width, 1) ** 2) ** 2, 0)
    to, _ = place(theta, points)
    slopes = []
    for k in range(len(theta)):
        change = step * np.eye(len(theta))[k]
        slopes.append((place(theta + change, points)[0] - place(theta - change, points)[0]) / (2 * step))
    slopes = np.array(slopes)  # (parameters, N, 2)
    normal = np.einsum("jnc,knc,n->jk", slopes, slopes, tukey)
    right = np.einsum("jnc,nc,n->j", slopes, targets - to, tukey)
    return tukey.sum(), normal, right


def epipolar(flow, fitted, epipole, low, high):
    """What is left of `flow` behind `fitted` and parallax along lines to `epipole` (3,), all in pixels."""
    y, x = np.indices(flow.shape[:2])
    at_x, at_y = x + fitted[..., 0], y + fitted[..., 1]
    rest = (flow - fitted).astype(np.float64)
    to = np.stack([epipole[0] - epipole[2] * at_x, epipole[1] - epipole[2] * at_y], axis=-1)
    length = np.linalg.norm(to, axis=-1)
    along = (rest * to).sum(axis=-1) / length
    across = np.sqrt(np.maximum((rest**2).sum(axis=-1) - along**2, 0))
    beyond = along - np.clip(along, low * length, high * length)
    return np.hypot(across, beyond)
