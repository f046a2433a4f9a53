"""Slow, obvious twins of the flow estimators' kernels: float64, whole pictures at once, no strips."""

import cv2
import numpy as np


def cubic(s):
    """Catmull-Rom's four weights for the place s in [0, 1) between the second and the third value, and their slopes."""
    powers, slopes = np.array([1, s, s**2, s**3]), np.array([0, 1, 2 * s, 3 * s**2])
    matrix = 0.5 * np.array([[0, -1, 2, -1], [2, 0, -5, 3], [0, 1, 4, -3], [0, 0, -1, 1]])
    return matrix @ powers, matrix @ slopes


def differences(picture):
    padded = np.pad(picture.astype(float), 1, mode="reflect")
    return (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2, (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2


def linearise(first, second, flow):
    """Slopes along x and y, and rest, (3, H, W)."""
    first_x, first_y = differences(first)
    height, width = first.shape
    answer = np.zeros((3, height, width))
    for y, x in np.ndindex(height, width):
        u, v = flow[:, y, x].astype(float)
        if not (0 <= x + u <= width - 1 and 0 <= y + v <= height - 1):
            continue
        column, row = int(x + u), int(y + v)
        across, across_slope = cubic(x + u - column)
        along, along_slope = cubic(y + v - row)
        columns = np.clip(np.arange(column - 1, column + 3), 0, width - 1)
        rows = np.clip(np.arange(row - 1, row + 3), 0, height - 1)
        around = second[np.ix_(rows, columns)].astype(float)
        gx = (first_x[y, x] + along @ around @ across_slope) / 2
        gy = (first_y[y, x] + along_slope @ around @ across) / 2
        answer[:, y, x] = gx, gy, along @ around @ across - first[y, x] - gx * u - gy * v
    return answer


def median(flow, side):
    return np.stack([cv2.medianBlur(part.astype(np.float32), side) for part in flow]) if side > 1 else flow


def tvl1(first, second, flow, *, attachment, warps, iterations, side, tau=0.35):
    """One level: warps, each of some steps of Chambolle and Pock."""
    sigma, dual = 1 / (8 * tau), np.zeros((2, 2, *first.shape))
    for _ in range(warps):
        gx, gy, rest = linearise(first, second, flow)
        flow = flow.astype(float)
        bar = flow.copy()
        for _ in range(iterations):
            right, down = np.zeros_like(flow), np.zeros_like(flow)
            right[:, :, :-1], down[:, :-1] = np.diff(bar, axis=2), np.diff(bar, axis=1)
            dual = dual + sigma * np.stack([right, down], axis=1)
            dual = dual / np.maximum(1, np.hypot(dual[:, 0], dual[:, 1]))[:, None]
            divergence = np.diff(dual[:, 0], axis=2, prepend=0) + np.diff(dual[:, 1], axis=1, prepend=0)
            moved = flow + tau * divergence
            step = (rest + gx * moved[0] + gy * moved[1]) / (gx**2 + gy**2 + 1e-3)
            step = np.clip(step, -tau * attachment, tau * attachment)
            moved = moved - step * np.stack([gx, gy])
            bar, flow = 2 * moved - flow, moved
        flow = median(flow, side)
    return flow


def horn_schunck(first, second, flow, *, smoothness, warps, iterations, side, relaxation=1.9):
    """One level: warps, each of some rounds over the two colours of a chessboard."""
    height, width = first.shape
    for _ in range(warps):
        gx, gy, rest = linearise(first, second, flow)
        flow = flow.astype(float)
        for sweep in range(2 * iterations):
            for y, x in np.ndindex(height, width):
                if (y + x) % 2 != sweep % 2:
                    continue
                around = [(y + j, x + i) for j, i in ((-1, 0), (1, 0), (0, -1), (0, 1))]
                around = [flow[:, j, i] for j, i in around if 0 <= j < height and 0 <= i < width]
                mean, g, n = np.mean(around, axis=0), np.array([gx[y, x], gy[y, x]]), len(around)
                solved = mean - g * (rest[y, x] + g @ mean) / (n * smoothness + g @ g)
                flow[:, y, x] += relaxation * (solved - flow[:, y, x])
        flow = median(flow, side)
    return flow


def lucas_kanade(first, second, flow, *, window, iterations, noise, side):
    """One level: steps of the windows' equations."""
    flow = flow.astype(float)
    for _ in range(iterations):
        gx, gy, rest = linearise(first, second, flow.astype(np.float32))
        d = rest + gx * flow[0] + gy * flow[1]
        xx, xy, yy, bx, by = (
            cv2.GaussianBlur(p.astype(np.float32), (0, 0), window).astype(float)
            for p in (gx * gx, gx * gy, gy * gy, gx * d, gy * d)
        )
        for y, x in np.ndindex(first.shape):
            matrix = np.array([[xx[y, x] + noise, xy[y, x]], [xy[y, x], yy[y, x] + noise]])
            flow[:, y, x] -= np.clip(np.linalg.solve(matrix, [bx[y, x], by[y, x]]), -1, 1)
    return median(flow, side)
