"""A shaking film into a steady one, and into one wide picture."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from motionseg.apps.stop import Stop
from motionseg.camera import Mosaic, Stabilizer
from motionseg.core.errors import OutputError, ParameterError, SourceError
from motionseg.core.types import Frame
from motionseg.io.video import VideoReader, open_video
from motionseg.io.write import VideoWriter, write_image

__all__ = ["stabilize_to"]

_FILMS = (".mp4", ".m4v", ".mov")
_PICTURES = (".png", ".jpg", ".jpeg")


def stabilize_to(
    source: str | int,
    output: Path,
    *,
    stabilizer: Stabilizer,
    mosaic: tuple[Path, Mosaic] | None = None,
    start: float | None = None,
    end: float | None = None,
    width: int | None = None,
    overwrite: bool = False,
    on_open: Callable[[VideoReader], None] = lambda video: None,
    on_frame: Callable[[int], None] = lambda done: None,
    stop: Stop | None = None,
) -> dict[str, Any]:
    """Write `source` on a smooth path into `output`; return a summary.

    A source that breaks off, a full disk and Ctrl-C leave a readable result of all frames until then.

    Parameters
    ----------
    output : path
        A film (.mp4, .m4v, .mov; without sound), or a folder (any other name without a suffix) for ``%06d.png``.
    mosaic : (path, Mosaic), optional
        Also lay the frames, as they were, into one picture, and write it there (.png, .jpg).
    overwrite : bool
        Replace what is there; other files in a folder are left alone.

    Raises
    ------
    ParameterError
        The output is there, is the source or has a name of no use.
    SourceError
        The source cannot be opened (nothing has been written) or breaks off (all before it has).
    OutputError
        A result cannot be written.
    """
    stop, error = stop or Stop(), None
    is_film = output.suffix.lower() in _FILMS
    _check_names(source, output, is_film, mosaic[0] if mosaic else None, overwrite)
    n_frames, n_found, shifts, first = 0, 0, 0.0, None
    with open_video(source, start=start, end=end, width=width) as video, stop.listening():
        if not is_film and overwrite:
            _clear(output)
        on_open(video)
        began = time.perf_counter()
        times: deque[float] = deque()

        def frames() -> Iterator[Frame]:
            nonlocal error
            try:
                for _, seconds, frame in stop.until_asked(video):
                    times.append(seconds)
                    if mosaic is not None:
                        mosaic[1].add(frame)
                    yield frame
            except SourceError as failure:  # what is in the window can still be written
                error = failure
            except KeyboardInterrupt:
                stop.asked = True

        try:
            with ExitStack() as stack:
                film = stack.enter_context(VideoWriter(output, fps=video.fps or 25.0)) if is_film else None
                for result in stabilizer.stabilize(frames()):
                    seconds = times.popleft()
                    first = seconds if first is None else first
                    if film is not None:
                        film.write(result.frame, seconds - first)
                    else:
                        write_image(output / f"{n_frames:06d}.png", result.frame)
                    n_frames, n_found = n_frames + 1, n_found + (result.verdict == "found")
                    shifts += result.shift
                    on_frame(n_frames)
        except OutputError as failure:
            error = failure
        except KeyboardInterrupt:
            stop.asked = True
    files = [str(output)] if n_frames else []
    if mosaic is not None and mosaic[1].n_frames and not isinstance(error, OutputError):
        write_image(mosaic[0], mosaic[1].image()[0])
        files.append(str(mosaic[0]))
    if error is not None:
        raise error
    seconds = time.perf_counter() - began
    return {
        "source": str(source),
        "complete": not stop.asked,
        "frames": n_frames,
        "followed": n_found,
        "mean_shift": round(shifts / max(1, n_frames), 3),
        "in_mosaic": mosaic[1].n_frames if mosaic is not None else None,
        "seconds": round(seconds, 3),
        "frames_per_second": round(n_frames / max(seconds, 1e-3), 2),
        "files": files,
    }


def _check_names(source: str | int, output: Path, is_film: bool, picture: Path | None, overwrite: bool) -> None:
    if not is_film and output.suffix and not output.is_dir():
        raise ParameterError(f"films are written as {', '.join(_FILMS)}, pictures into a folder; not {output}")
    if picture is not None and picture.suffix.lower() not in _PICTURES:
        raise ParameterError(f"a mosaic is written as {', '.join(_PICTURES)}, not {picture}")
    if is_film and output.is_dir():
        raise ParameterError(f"{output} is a folder")
    if not is_film and output.exists() and not output.is_dir():
        raise ParameterError(f"{output} is a file; pictures need a folder")
    place = Path(str(source)).absolute()
    for path in (output, picture):
        if path is not None and path.absolute() in (place, *place.parents) and path.exists():
            raise ParameterError(f"{path} is (or holds) the source: it would be overwritten")
    if not overwrite:
        for path in (output, picture):
            if path is not None and (any(path.iterdir()) if path.is_dir() else path.exists()):
                raise ParameterError(f"{path} is there already; --overwrite replaces it")


def _clear(folder: Path) -> None:
    """Clear the folder of the pictures of an earlier run."""
    try:
        for picture in folder.glob("*.png"):
            if re.fullmatch(r"\d{6,}", picture.stem):
                picture.unlink()
    except OSError as failure:
        raise OutputError(f"{folder}: {failure}") from failure
