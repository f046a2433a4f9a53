"""Arrays in, numbers out: no files, no printing."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "average_precision": ["DetectionCounts", "count_detections"],
        "background_image": ["BackgroundScores", "compare_backgrounds"],
        "change": ["ChangeCounts", "count_change", "summarize"],
        "clear": ["CLEARCounts", "count_clear"],
        "davis": ["Statistics", "contour_accuracy", "region_similarity", "statistics"],
        "davis2017": ["ObjectScores", "judge_objects"],
        "events": ["EventCounts", "count_events"],
        "hota": ["HOTACounts", "count_hota"],
        "identity": ["IdentityCounts", "count_identity"],
        "moseg": ["RegionCounts", "count_regions"],
        "mot_challenge": ["without_distractors"],
        "optical_flow": ["FlowCounts", "count_flow"],
        "ranking": ["CDNET_METRICS", "Ranking", "rank", "rank_methods"],
        "score": ["ScoreCounts", "count_scores"],
        "segmentation": ["ConfusionMatrix", "boundary_iou", "count_classes"],
        "stability": ["temporal_stability"],
        "tracking": ["TrackingPairs", "Trajectories", "pair_boxes", "pair_labels", "pair_similarities"],
    },
)
