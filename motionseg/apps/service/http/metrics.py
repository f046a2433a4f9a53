"""What Prometheus reads, gathered at the time of asking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from motionseg.apps.service.http.hub import Hub

__all__ = ["CONTENT_TYPE", "ServiceCollector", "exposition", "new_registry"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_COUNTERS = {
    "frames_read": "Frames that the camera gave.",
    "frames_dropped": "Frames that were too old when their turn came.",
    "frames_processed": "Frames that were segmented.",
    "frames_failed": "Frames that could not be segmented.",
    "frames_damaged": "Frames passed over, as parts of them were missing.",
    "frames_skipped": "Frames left out on purpose: limit of frames, or of CPU.",
    "reconnects": "Connections made anew.",
    "stalls": "Times that the camera fell silent.",
    "size_changes": "Times that the size of frames changed.",
}
_GAUGES = {
    "foreground": ("motionseg_foreground_ratio", "Share of the picture that is foreground, 0 to 1."),
    "tracks": ("motionseg_tracks", "Tracks alive."),
    "open_events": ("motionseg_open_events", "Events that go on."),
    "fps": ("motionseg_frames_per_second", "Frames segmented in a second, of late."),
    "cpu": ("motionseg_camera_cpu_cores", "Cores that the camera's work takes, of late."),
}
_COURIER = {
    "delivered": (CounterMetricFamily, "motionseg_sink_delivered", "Tellings that a sink has taken."),
    "failures": (CounterMetricFamily, "motionseg_sink_failures", "Attempts that a sink has failed."),
    "behind": (GaugeMetricFamily, "motionseg_sink_queue", "Tellings in the store that wait for a sink."),
}


class ServiceCollector:
    """Turns the statuses of a service into metrics; keeps nothing."""

    def __init__(self, service: Any, hub: Hub) -> None:
        self.service, self.hub = service, hub

    def collect(self) -> Iterator[Metric]:
        statuses = {name: lookout.status() for name, lookout in list(self.service.lookouts.items())}
        for key, help_text in _COUNTERS.items():
            yield _family(CounterMetricFamily, f"motionseg_{key}", help_text, key, statuses, "camera")
        for key, (name, help_text) in _GAUGES.items():
            yield _family(GaugeMetricFamily, name, help_text, key, statuses, "camera")
        running = {name: {"up": status.get("state") == "running"} for name, status in statuses.items()}
        yield _family(GaugeMetricFamily, "motionseg_camera_up", "1 while frames come.", "up", running, "camera")
        yield _latency(statuses)
        told = GaugeMetricFamily(
            "motionseg_event_latency_seconds", "From a frame's arrival until its event is stored, of late.",
            labels=["camera", "quantile"],
        )  # fmt: skip
        for name, status in statuses.items():
            for quantile, key in (("0.5", "p50"), ("0.95", "p95")):
                milliseconds = (status.get("event_latency_ms") or {}).get(key)
                if milliseconds is not None:
                    told.add_metric([name, quantile], milliseconds / 1e3)
        yield told
        events = CounterMetricFamily("motionseg_events", "Events begun since the start.", labels=["camera", "rule"])
        for labels, count in sorted(self.hub.begun.copy().items()):
            events.add_metric(labels, count)
        yield events
        yield from self._queues()

    def _queues(self) -> Iterator[Metric]:
        ledger, recorder = self.service.ledger.status(), self.service.recorder.status()
        queue = GaugeMetricFamily("motionseg_queue_depth", "What waits to be written.", labels=["queue"])
        waiting = {"ledger": ledger.get("queued"), "journal": ledger.get("journalled")}
        for name, depth in {**waiting, "recorder": recorder.get("queued")}.items():
            if depth is not None:
                queue.add_metric([name], float(depth))
        yield queue
        for key in ("recorded", "retries"):
            name = "motionseg_tellings_recorded" if key == "recorded" else "motionseg_store_retries"
            what = "Tellings that the store has taken." if key == "recorded" else "Attempts that the store has failed."
            family = CounterMetricFamily(name, what)
            family.add_metric([], float(ledger.get(key) or 0))
            yield family
        sinks = {courier.sink.name: courier.status() for courier in list(self.service.couriers)}
        for key, (kind, name, help_text) in _COURIER.items():
            yield _family(kind, name, help_text, key, sinks, "sink")
        listeners = GaugeMetricFamily("motionseg_listeners", "Clients of the event stream.", value=self.hub.listeners)
        yield listeners


def _family(
    kind: Any, name: str, help_text: str, key: str, statuses: Mapping[str, Mapping[str, Any]], label: str
) -> Metric:
    family: Metric = kind(name, help_text, labels=[label])
    for owner, status in statuses.items():
        value = status.get(key)
        if value is not None:
            family.add_metric([owner], float(value))
    return family


def _latency(statuses: Mapping[str, Mapping[str, Any]]) -> Metric:
    what = "Seconds from a frame's arrival until it is segmented and its events are told."
    family = HistogramMetricFamily("motionseg_latency_seconds", what, labels=["camera"])
    for name, status in statuses.items():
        counts = {float(edge): int(count) for edge, count in status.get("latency_buckets", {}).items()}
        total = int(status.get("latency_count", max(counts.values(), default=0)))
        counts.pop(float("inf"), None)
        buckets = [(f"{edge:g}", count) for edge, count in sorted(counts.items())] + [("+Inf", total)]
        family.add_metric([name], buckets, sum_value=float(status.get("latency_sum", 0.0)))
    return family


def new_registry(service: Any, hub: Hub) -> CollectorRegistry:
    """One for each app, with the process's own figures."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ServiceCollector(service, hub))
    ProcessCollector(registry=registry)
    return registry


def exposition(registry: CollectorRegistry) -> bytes:
    return generate_latest(registry)
