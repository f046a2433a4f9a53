"""Datasets in their published layouts and synthetic scenes: sequences of frames with truth. One file per dataset."""

from motionseg.core.catalog import attach_room

__getattr__, __dir__ = attach_room(
    __name__,
    {
        "Collage": "_collage",
        "CollageFrame": "_collage",
        "Layer": "_render",
        "Material": "_material",
        "ResultWriter": "_results",
        "Scene": "_render",
        "SyntheticFrame": "_render",
        "SyntheticScene": "_synthetic_scene",
        "crowd": "_crowd",
        "meetings": "_crowd",
        "read_results": "_results",
        "street": "_street",
    },
)
