"""Bytes to arrays and back: video, images, tables."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "_compression": ["compressed"],
        "clips": ["ClipFacts", "PacketRing", "copy_clip"],
        "coco": [
            "coco_results",
            "read_coco",
            "read_youtube_vis",
            "write_coco",
            "write_youtube_vis",
            "youtube_vis_results",
        ],
        "coco_tracks": ["CocoTracksWriter", "coco_track_results"],
        "flow": ["read_flow", "write_flow"],
        "images": ["read_image"],
        "labels": ["read_codes", "read_labels", "write_labels"],
        "mot": ["MotTable", "MotWriter", "read_mot", "write_mot"],
        "mots": ["MotsTable", "MotsWriter", "read_mots", "write_mots"],
        "tracks": ["TracksCsvWriter", "read_tracks"],
        "video": ["VideoFrame", "VideoReader", "open_video"],
        "write": [
            "MaskFolderWriter",
            "MaskVideoWriter",
            "VideoWriter",
            "write_columns",
            "write_image",
            "write_json",
            "write_text",
        ],
    },
)
