"""Background models: a frame in, a mask of what moves out. One file per model; see ``base.py``."""

from motionseg.core.catalog import attach_room

__getattr__, __dir__ = attach_room(__name__, {"from_cv2": "_cv2", "background_picture": "_bootstrap"})
