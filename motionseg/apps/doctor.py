"""What is installed, what is missing, what stands in each other's way."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import motionseg
from motionseg.core.parallel import get_num_threads

__all__ = ["examine", "machine", "versions"]

_WHEELS = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
_LIBRARIES = ("numpy", "scipy", "opencv-contrib-python", "opencv-contrib-python-headless", "opencv-python",
              "opencv-python-headless", "numba", "scikit-learn", "av", "torch", "kornia")  # fmt: skip
_GPU = "import torch; print(torch.cuda.get_device_name(0) if torch.cuda.is_available() else '')"


def versions() -> dict[str, str]:
    """Versions of motionseg, Python and the libraries that are installed."""
    found = {"motionseg": motionseg.__version__, "python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """What a measured figure has to say of where it was measured."""
    return {"processor": _processor(), "cores": os.cpu_count(), "threads": get_num_threads(), "versions": versions()}


def examine() -> dict[str, Any]:
    """The facts about this installation that a bug report needs; `problems` says what to mend and how."""
    problems: list[str] = []
    return {
        **machine(),
        "platform": platform.platform(),
        "opencv": _opencv(problems),
        "codecs": _codecs(problems),
        "gpu": _gpu(),
        "cache_folder": _cache(problems),
        "problems": problems,
    }


def _opencv(problems: list[str]) -> dict[str, Any]:
    wheels = []
    for name in _WHEELS:
        try:
            wheels.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    if len(wheels) > 1:
        names = " ".join(wheel.split()[0] for wheel in wheels)
        problems.append(
            f"several OpenCV wheels write into one folder and break each other: {', '.join(wheels)}. "
            f"Mend with: pip uninstall -y {names} && pip install opencv-contrib-python"
        )
    try:
        cv2 = importlib.import_module("cv2")
    except ImportError as error:
        problems.append(f"cv2 cannot be imported: {error}")
        return {"wheels": wheels, "version": None, "contrib": False}
    contrib = hasattr(cv2, "bgsegm")
    if not contrib:
        problems.append(
            "OpenCV is without its contrib modules: opencv_cnt, opencv_gsoc, opencv_lsbp, opencv_mog and opencv_gmg "
            "will not run. pip install opencv-contrib-python adds them"
        )
    return {"wheels": wheels, "version": cv2.__version__, "contrib": contrib}


def _codecs(problems: list[str]) -> dict[str, bool]:
    try:
        av = importlib.import_module("av")
    except ImportError as error:
        problems.append(f"PyAV cannot be imported: {error}")
        return {}
    found = {}
    for name in ("libx264", "ffv1"):
        try:
            found[name] = bool(av.codec.Codec(name, "w"))
        except ValueError:
            found[name] = False
    problems.extend(f"PyAV's FFmpeg lacks the encoder {name}" for name, there in found.items() if not there)
    return found


def _gpu() -> str | None:
    """Name of the CUDA device that torch sees. Asked in a process of its own: a broken driver may hang or abort."""
    if importlib.util.find_spec("torch") is None:
        return None
    try:
        answer = subprocess.run([sys.executable, "-c", _GPU], capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return None
    return answer.stdout.strip() or None


def _cache(problems: list[str]) -> str | None:
    """Folder where compiled kernels are kept."""
    from motionseg.background import gaussian_mixture

    cache = getattr(gaussian_mixture._step, "_cache", None)
    folder = getattr(cache, "cache_path", None)
    if folder is None:
        problems.append(
            "no cache folder can be written, so kernels are compiled in every process (some seconds each): "
            "set NUMBA_CACHE_DIR to a folder that can"
        )
        return None
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        problems.append(f"the kernel cache {folder} cannot be written: {error}; set NUMBA_CACHE_DIR")
    return str(folder)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
