"""Result files of COCO (objects in images) and YouTube-VIS (objects in videos): JSON with compressed masks."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects

from motionseg.core.checks import check_integer, check_number
from motionseg.core.errors import FrameError, OutputError, SourceError
from motionseg.core.rle import check_rle, encode_labels
from motionseg.core.types import Labels
from motionseg.io._output import write_whole
from motionseg.io._source import read_bytes

__all__ = ["coco_results", "read_coco", "read_youtube_vis", "write_coco", "write_youtube_vis", "youtube_vis_results"]


def coco_results(
    image_id: int, labels: Labels, scores: npt.NDArray[np.floating[Any]], *, category_id: int = 1
) -> list[dict[str, Any]]:
    """The objects of one image as COCO results.

    Parameters
    ----------
    image_id : int
        Of the image, as the benchmark's annotations have it.
    labels : int array (H, W)
        0 background, 1..N.
    scores : float (N,)
        Of label 1, 2, ...; a label without a pixel has no result.
    category_id : int
        Of all of them.

    Returns
    -------
    list of dict
        image_id, category_id, segmentation (for :func:`motionseg.core.rle.decode_rle`), bbox (x, y, w, h), score.

    Raises
    ------
    FrameError
        `labels` is not such an array, or has more labels than there are scores.

    Examples
    --------
    >>> labels = np.array([[0, 1], [0, 1]], np.int32)
    >>> coco_results(42, labels, np.array([0.5]))  # doctest: +NORMALIZE_WHITESPACE
    [{'image_id': 42, 'category_id': 1, 'segmentation': {'size': [2, 2], 'counts': '22'},
      'bbox': [1, 0, 1, 2], 'score': 0.5}]
    """
    rles = encode_labels(labels)
    if rles and not 1 <= min(rles) <= max(rles) <= len(scores):
        raise FrameError(f"labels are {min(rles)} .. {max(rles)}, there are {len(scores)} scores")
    boxes = [box for box in find_objects(labels) if box is not None]
    return [
        {
            "image_id": image_id,
            "category_id": category_id,
            "segmentation": rle,
            "bbox": [columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start],
            "score": float(scores[label - 1]),
        }
        for (label, rle), (rows, columns) in zip(rles.items(), boxes, strict=True)
    ]


def youtube_vis_results(
    video_id: int, frames: Iterable[Labels], scores: Mapping[int, float], *, category_id: int = 1
) -> list[dict[str, Any]]:
    """The objects of one video as YouTube-VIS results.

    Parameters
    ----------
    video_id : int
        Of the video, as the benchmark's annotations have it.
    frames : iterable of int arrays (H, W)
        Every frame of the video; 0 background, else an object's id, the same in all frames.
    scores : dict
        The score of each id.
    category_id : int
        Of all of them.

    Returns
    -------
    list of dict
        In ascending order of ids: video_id, category_id, score, segmentations (one for each frame, None where the
        object is not seen).

    Raises
    ------
    FrameError
        `frames` are not such arrays, or an id has no score.

    Examples
    --------
    >>> frames = [np.array([[0, 3], [0, 3]], np.int32), np.zeros((2, 2), np.int32)]
    >>> youtube_vis_results(7, frames, {3: 0.5})  # doctest: +NORMALIZE_WHITESPACE
    [{'video_id': 7, 'category_id': 1, 'score': 0.5,
      'segmentations': [{'size': [2, 2], 'counts': '22'}, None]}]
    """
    encoded = [encode_labels(labels) for labels in frames]
    ids = sorted(set().union(*encoded))
    missing = [id for id in ids if id not in scores]
    if missing:
        raise FrameError(f"object {missing[0]} has no score")
    return [
        {
            "video_id": video_id,
            "category_id": category_id,
            "score": float(scores[id]),
            "segmentations": [of_frame.get(id) for of_frame in encoded],
        }
        for id in ids
    ]


def write_coco(path: str | os.PathLike[str], results: Sequence[Mapping[str, Any]]) -> None:
    """Write results of COCO's form, one a line, atomically: an old file stays until the new one is whole.

    Parameters
    ----------
    path : path
        The .json file; its folder is made.
    results : list of dict
        Of any number of images, as :func:`coco_results` and :meth:`motionseg.core.types.Segmentation.to_coco` give.

    Raises
    ------
    OutputError
        The file cannot be written, or a result lacks something (the message has its number).
    """
    _write(Path(path), results, _check_coco)


def read_coco(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Read a file of COCO results with masks: a list of what :func:`coco_results` gives.

    Raises
    ------
    SourceError
        Not there, not JSON, or a result lacks something or has a damaged mask (the message has its number, from 0).
    """
    return _read(Path(path), _check_coco)


def write_youtube_vis(path: str | os.PathLike[str], results: Sequence[Mapping[str, Any]]) -> None:
    """Write results of YouTube-VIS' form, one a line, atomically: an old file stays until the new one is whole.

    Parameters
    ----------
    path : path
        The .json file; its folder is made.
    results : list of dict
        Of any number of videos, as :func:`youtube_vis_results` gives.

    Raises
    ------
    OutputError
        The file cannot be written, or a result lacks something (the message has its number).
    """
    _write(Path(path), results, _check_youtube_vis)


def read_youtube_vis(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Read a file of YouTube-VIS results: a list of what :func:`youtube_vis_results` gives.

    Raises
    ------
    SourceError
        Not there, not JSON, or a result lacks something or has a damaged mask (the message has its number, from 0).
    """
    return _read(Path(path), _check_youtube_vis)


def _check_coco(result: Mapping[str, Any]) -> None:
    check_integer("image_id", result.get("image_id"), 0)
    check_integer("category_id", result.get("category_id"), 0)
    check_number("score", result.get("score"))
    check_rle(result.get("segmentation"))


def _check_youtube_vis(result: Mapping[str, Any]) -> None:
    check_integer("video_id", result.get("video_id"), 0)
    check_integer("category_id", result.get("category_id"), 0)
    check_number("score", result.get("score"))
    masks = result.get("segmentations")
    if not isinstance(masks, list):
        raise FrameError("segmentations is a list")
    for mask in masks:
        if mask is not None:
            check_rle(mask)


def _read(path: Path, check: Callable[[Mapping[str, Any]], None]) -> list[dict[str, Any]]:
    try:
        results = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise SourceError(f"not JSON: {error}", source=str(path)) from error
    if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
        raise SourceError("a file of results is a list of objects", source=str(path))
    for number, result in enumerate(results):
        try:
            check(result)
        except ValueError as error:
            raise SourceError(f"result {number}: {error}", source=str(path)) from error
    return results


def _write(path: Path, results: Sequence[Mapping[str, Any]], check: Callable[[Mapping[str, Any]], None]) -> None:
    lines = []
    for number, result in enumerate(results):
        try:
            check(result)
            lines.append(json.dumps(result, default=_plain, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise OutputError(f"{path}: result {number}: {error}") from error
    separator = ",\n"
    write_whole(path, f"[{separator.join(lines)}]\n".encode())


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):  # pycocotools gives counts so
        return value.decode("ascii")
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no place in JSON")
