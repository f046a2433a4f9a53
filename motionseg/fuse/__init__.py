"""Several cues about the same pixels become one score, and the reason for it is kept."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "appearance": ["Appearance"],
        "base": ["CueFuser", "Fusion"],
        "cues": ["border_cue", "flow_trust", "motion_cue", "prior_cue", "score_cue", "vote_cue"],
        "mean_field": ["MeanField"],
    },
)
