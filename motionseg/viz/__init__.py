"""Arrays in, pictures out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "comparison": ["color_flow", "color_labels", "draw_boxes", "error_map"],
        "contact_sheet": ["contact_sheet"],
        "evidence": ["color_evidence", "draw_evidence"],
        "event": ["draw_event"],
        "maps": ["draw_map", "draw_trajectories"],
        "overlay": ["Trails", "draw_overlay", "track_color"],
        "zones": ["draw_zones"],
    },
)
# A function named as its file: bound here, or it would be hidden by the module once somebody imports that.
from motionseg.viz.contact_sheet import contact_sheet  # noqa: E402, F401
