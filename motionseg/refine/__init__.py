"""Frame, background and cues to a sharper mask and embeddings of regions: the only user of torch and kornia."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "_export": ["export_network"],
        "_packing": ["pack_pixels"],
        "refiner": ["Refiner", "View", "refine_together"],
    },
)
