"""Background models: a frame in, a mask of what moves out. One file per model; see ``base.py``."""

from motionseg.core.catalog import attach_room

_EXTRA = {
    "Guarded": "_guarded",
    "background_picture": "_bootstrap",
    "from_cv2": "_cv2",
    "label_shadows": "_shadows",
}
__getattr__, __dir__ = attach_room(__name__, _EXTRA)
