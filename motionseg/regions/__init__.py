"""Mask in, clean mask, labels and measured regions out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"clean": ["MaskCleaner"], "components": ["find_regions", "measure_labels"]}
)
