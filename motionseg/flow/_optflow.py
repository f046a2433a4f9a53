"""Where OpenCV's contributed flow is found, if it is there."""

from __future__ import annotations

from typing import Any

import cv2

from motionseg.core.errors import MissingExtraError

__all__ = ["optflow"]


def optflow() -> Any:
    """The module ``cv2.optflow``.

    Raises
    ------
    MissingExtraError
        This OpenCV was built without the contributed modules.
    """
    module = getattr(cv2, "optflow", None)
    if module is None:
        raise MissingExtraError("cv2.optflow", "pip install opencv-contrib-python")
    return module
