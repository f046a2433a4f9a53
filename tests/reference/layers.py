"""Layers of motion, point by point: one step of expectation, the judging of pixels, the joining of pieces."""

import numpy as np


def speed_of(motion, x, y):
    """(u, v) of a motion of twelve numbers at one place."""
    powers = np.array([1, x, y, x * x, x * y, y * y])
    return motion[:6] @ powers, motion[6:] @ powers


def density(flow, motion, scale, x, y):
    """Student's density, two degrees of freedom in the plane; what of it pulls; the squared misfit."""
    u, v = speed_of(motion, x, y)
    d = (flow[0] - u) ** 2 + (flow[1] - v) ** 2
    t = 1 / (1 + d / (2 * scale**2))
    return t**2 / (2 * np.pi * scale**2), t, d


def expect(flow, known, x, y, motions, scales, shares, outlier_density, pull, before):
    """Weights (rows, K + 1, columns) of all points, and the moments (rows, K, 13) of every row."""
    rows, columns = known.shape
    layers = len(motions)
    weights, moments = np.zeros((rows, layers + 1, columns)), np.zeros((rows, layers, 13))
    for r in range(rows):
        for c in range(columns):
            p, parts = np.zeros(layers + 1), []
            for k in range(layers):
                p[k], t, d = density(flow[:, r, c], motions[k], scales[k], x[c], y[r])
                parts.append((t, d))
            p[layers] = outlier_density
            p *= shares
            for k in range(layers + 1):
                around = [(r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)]
                votes = sum(before[i, k, j] for i, j in around if 0 <= i < rows and 0 <= j < columns)
                p[k] *= np.exp(pull * votes)
            weights[r, :, c] = known[r, c] * p / p.sum()
            u, v = flow[:, r, c]
            for k, (t, d) in enumerate(parts):
                w, z = 2 * weights[r, k, c] * t, x[c]
                ones = [w * z**i for i in range(5)]
                moments[r, k] += [
                    weights[r, k, c], *ones, *(u * m for m in ones[:3]), *(v * m for m in ones[:3]), w * d
                ]  # fmt: skip
    return weights, moments


def maximise(flow, known, x, y, weights, pulls, terms, hold):
    """Motions by weighted least squares over all points; `pulls` are what Student's tails leave of the weights."""
    motions = []
    for k in range(weights.shape[1] - 1):
        design, target, weight = [], [], []
        for r in range(known.shape[0]):
            for c in range(known.shape[1]):
                powers = [1, x[c], y[r], x[c] ** 2, x[c] * y[r], y[r] ** 2]
                design += [[*powers, *[0] * 6], [*[0] * 6, *powers]]
                target += list(flow[:, r, c])
                weight += [2 * weights[r, k, c] * pulls[r, k, c]] * 2
        design = np.array(design) @ terms
        normal = design.T @ (design * np.array(weight)[:, None]) + terms.T @ np.diag(hold) @ terms
        motions.append(terms @ np.linalg.solve(normal, design.T @ (np.array(weight) * target)))
    return np.array(motions)


def decide(flow, valid, x, y, motions, scales, shares, outlier_density, pull, weights, first, step):
    """The likeliest layer of every pixel, 255 where not valid; and by which factor it is likelier than the second."""
    height, width = valid.shape
    layer, lead = np.zeros(valid.shape, int), np.zeros(valid.shape)
    votes = np.exp(4 * pull * weights)
    for r in range(height):
        for c in range(width):
            a = min(max((r - first) / step, 0), votes.shape[0] - 1)
            b = min(max((c - first) / step, 0), votes.shape[2] - 1)
            i, j = int(a), int(b)
            ii, jj = min(i + 1, votes.shape[0] - 1), min(j + 1, votes.shape[2] - 1)
            top = votes[i, :, j] + (b - j) * (votes[i, :, jj] - votes[i, :, j])
            low = votes[ii, :, j] + (b - j) * (votes[ii, :, jj] - votes[ii, :, j])
            p = shares * (top + (a - i) * (low - top))
            for k in range(len(motions)):
                p[k] *= density(flow[r, c], motions[k], scales[k], x[c], y[r])[0]
            p[-1] *= outlier_density
            layer[r, c] = p.argmax() if valid[r, c] else 255
            lead[r, c] = np.sort(p)[-1] / np.sort(p)[-2]
    return layer, lead


def pieces(layer, groups, least):
    """Sets of pixels (row, column): the pieces, what is small or the outliers' joined to what it touches most."""
    group = {(r, c): groups[k] for (r, c), k in np.ndenumerate(layer) if k < len(groups) and groups[k]}
    found, seen = [], set()
    for start in sorted(group):
        if start in seen:
            continue
        piece, queue = {start}, [start]
        while queue:
            r, c = queue.pop()
            for there in [(r + i, c + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]:
                if there not in piece and group.get(there) == group[start]:
                    piece.add(there)
                    queue.append(there)
        seen |= piece
        found.append(piece)
    solid = [len(piece) >= least and group[min(piece)] != groups[-1] for piece in found]
    answer = [set(piece) if firm else set() for piece, firm in zip(found, solid, strict=True)]
    for piece, firm in zip(found, solid, strict=True):
        if firm:
            continue
        contacts = [
            sum((r + i, c + j) in other for r, c in piece for i, j in ((0, 1), (1, 0), (0, -1), (-1, 0))) if ok else 0
            for other, ok in zip(found, solid, strict=True)
        ]
        if max(contacts) > 0:
            if sorted(contacts)[-1:] != sorted(contacts)[-2:-1]:
                answer[int(np.argmax(contacts))] |= piece
            else:
                return None  # a tie: nothing is promised
        elif len(piece) >= least:
            answer.append(set(piece))
    return {frozenset(piece) for piece in answer if piece}
