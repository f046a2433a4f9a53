"""Conformance checks: what all models, estimators, clusterers and linkers promise, the user's own too.

``check_background_model(MyModel())`` runs all of its room; `BACKGROUND_CHECKS`, `CAMERA_CHECKS`, `CLUSTER_CHECKS`,
`FLOW_CHECKS` and `LINKER_CHECKS` name them one by one, for ``pytest.mark.parametrize``. A check works on clones of
what it is given and raises AssertionError saying what was expected of whom.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "background_models": ["BACKGROUND_CHECKS", "check_background_model"],
        "camera_models": ["CAMERA_CHECKS", "check_camera_motion"],
        "flow_clusterers": ["CLUSTER_CHECKS", "check_flow_clusterer"],
        "flow_estimators": ["FLOW_CHECKS", "check_flow_estimator"],
        "linkers": ["LINKER_CHECKS", "check_linker"],
    },
)
