"""Folder layouts and synthetic scenes as sequences of frames with truth."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"synthetic": ["Layer", "Scene", "SyntheticFrame", "SyntheticScene", "street"]}
)
