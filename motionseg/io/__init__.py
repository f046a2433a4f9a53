"""Bytes to arrays and back: video, images, tables."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "images": ["read_image"],
        "video": ["VideoFrame", "VideoReader", "open_video"],
        "write": [
            "MaskFolderWriter",
            "MaskVideoWriter",
            "TracksCsvWriter",
            "VideoWriter",
            "write_image",
            "write_json",
        ],
    },
)
