"""motionseg: motion segmentation of video, with fixed and with moving cameras.

``motionseg.segment(source)`` yields what moves in a file, folder, webcam or stream. Names are
imported at first use; ``__init__.pyi`` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"
