"""The only place that knows the order of the rooms: frames go in, segmentations come out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "adaptation": ["agreed_truth", "sample_unlabelled"],
        "auto": ["Auto"],
        "clustered": ["Clustered"],
        "compensated": ["Compensated"],
        "evaluation": ["Evaluation", "Run", "WorstFrame", "combine", "evaluate", "regions_of_boxes"],
        "flow_fused": ["FlowFused"],
        "naive_flow": ["NaiveFlow"],
        "refined": ["Refined"],
        "segmenter": ["MotionSegmenter"],
        "stream": ["segment", "segment_stream"],
        "training_clips": ["SAMPLE_SIZE", "render_samples", "sample_clip", "sample_stills"],
        "training_sequence": ["sample_sequence"],
    },
)
