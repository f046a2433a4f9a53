"""Pyramids of pictures, and what the grey levels say of small changes of a flow."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.jit import kernel

__all__ = ["enlarge", "linearise", "pyramid", "slopes"]

Floats = npt.NDArray[np.float32]


def pyramid(frame: npt.NDArray[np.uint8], levels: int, least: int = 12, blur: float = 0.5) -> list[Floats]:
    """`frame`, blurred, and halves of it, float32, the finest first: no more than `levels`, none below `least` a side.

    Pixel (x, y) of each lies on pixel (2x, 2y) of the one before.
    """
    pictures = [np.asarray(cv2.GaussianBlur(frame.astype(np.float32), (0, 0), blur))]
    while len(pictures) < levels and min(pictures[-1].shape) >= 2 * least:
        pictures.append(np.asarray(cv2.pyrDown(pictures[-1])))
    return pictures


def enlarge(flow: Floats, shape: tuple[int, ...]) -> Floats:
    """Flow (2, H, W) of one picture of a pyramid on the pixels of the one before, whose shape is `shape`."""
    return np.stack([2 * np.asarray(cv2.pyrUp(part, dstsize=(shape[1], shape[0]))) for part in flow])


def slopes(picture: Floats) -> tuple[Floats, Floats]:
    """Central differences along x and y, grey levels a pixel."""
    options = {"ksize": 1, "scale": 0.5, "borderType": cv2.BORDER_REFLECT_101}
    return (
        np.asarray(cv2.Sobel(picture, cv2.CV_32F, 1, 0, **options)),
        np.asarray(cv2.Sobel(picture, cv2.CV_32F, 0, 1, **options)),
    )


@kernel
def linearise(start, stop, first, first_x, first_y, second, flow, slope_x, slope_y, rest):
    """Rows start .. stop: near `flow`, a pixel's grey levels differ by rest + slope_x u + slope_y v.

    `second` and its slopes are interpolated by Catmull-Rom's cubics; slopes are the mean of both pictures', which
    keeps the error of the second order out. Where `flow` leads out of view, nothing is known: all are 0.
    """
    height, width = first.shape
    half, three, five, four = np.float32(0.5), np.float32(3), np.float32(5), np.float32(4)
    two, nine, ten, eight, one = np.float32(2), np.float32(9), np.float32(10), np.float32(8), np.float32(1)
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    for y in range(start, stop):
        for x in range(width):
            u, v = flow[0, y, x], flow[1, y, x]
            px, py = np.float32(x) + u, np.float32(y) + v
            if not (px >= 0 and px <= right and py >= 0 and py <= bottom):
                slope_x[y, x] = slope_y[y, x] = rest[y, x] = 0
                continue
            column, row = np.int32(px), np.int32(py)
            s, t = px - np.float32(column), py - np.float32(row)
            a0 = half * s * (-one + s * (two - s))
            a1 = half * (two + s * s * (three * s - five))
            a2 = half * s * (one + s * (four - three * s))
            a3 = half * s * s * (s - one)
            d0 = half * (-one + s * (four - three * s))
            d1 = half * s * (nine * s - ten)
            d2 = half * (one + s * (eight - nine * s))
            d3 = half * s * (three * s - two)
            b0 = half * t * (-one + t * (two - t))
            b1 = half * (two + t * t * (three * t - five))
            b2 = half * t * (one + t * (four - three * t))
            b3 = half * t * t * (t - one)
            e0 = half * (-one + t * (four - three * t))
            e1 = half * t * (nine * t - ten)
            e2 = half * (one + t * (eight - nine * t))
            e3 = half * t * (three * t - two)
            c0, c1 = max(column - 1, 0), column
            c2, c3 = min(column + 1, width - 1), min(column + 2, width - 1)
            r0, r1, r2, r3 = max(row - 1, 0), row, min(row + 1, height - 1), min(row + 2, height - 1)
            p0, p1, p2, p3 = second[r0, c0], second[r0, c1], second[r0, c2], second[r0, c3]
            q0, q1, q2, q3 = second[r1, c0], second[r1, c1], second[r1, c2], second[r1, c3]
            m0, m1, m2, m3 = second[r2, c0], second[r2, c1], second[r2, c2], second[r2, c3]
            n0, n1, n2, n3 = second[r3, c0], second[r3, c1], second[r3, c2], second[r3, c3]
            w0 = a0 * p0 + a1 * p1 + a2 * p2 + a3 * p3
            w1 = a0 * q0 + a1 * q1 + a2 * q2 + a3 * q3
            w2 = a0 * m0 + a1 * m1 + a2 * m2 + a3 * m3
            w3 = a0 * n0 + a1 * n1 + a2 * n2 + a3 * n3
            g0 = d0 * p0 + d1 * p1 + d2 * p2 + d3 * p3
            g1 = d0 * q0 + d1 * q1 + d2 * q2 + d3 * q3
            g2 = d0 * m0 + d1 * m1 + d2 * m2 + d3 * m3
            g3 = d0 * n0 + d1 * n1 + d2 * n2 + d3 * n3
            warped = b0 * w0 + b1 * w1 + b2 * w2 + b3 * w3
            gx = half * (first_x[y, x] + b0 * g0 + b1 * g1 + b2 * g2 + b3 * g3)
            gy = half * (first_y[y, x] + e0 * w0 + e1 * w1 + e2 * w2 + e3 * w3)
            slope_x[y, x], slope_y[y, x] = gx, gy
            rest[y, x] = warped - first[y, x] - gx * u - gy * v
