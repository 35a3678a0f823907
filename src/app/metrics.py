"""Prometheus metrics of requests; labels have few values and never name a clinic."""

import os
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector

MULTIPROCESS_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Set by the server before its workers start; the library keeps every worker's numbers there."""

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


class RequestMetrics:
    """Counts requests and measures how long they took, by route template."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "clinic_http_requests",
            "Requests answered.",
            ("method", "route", "status", "strategy"),
            registry=self._registry,
        )
        self._durations = Histogram(
            "clinic_http_request_duration_seconds",
            "Time from the request's arrival to the end of its answer.",
            ("method", "route", "strategy"),
            buckets=BUCKETS_S,
            registry=self._registry,
        )

    def observe(
        self, *, method: str, route: str, status: int, strategy: str, duration_s: float
    ) -> None:
        """Count one answered request."""
        known_method = method if method in METHODS else "other"
        self._requests.labels(known_method, route, str(status), strategy).inc()
        self._durations.labels(known_method, route, strategy).observe(duration_s)

    def exposition(self) -> bytes:
        """Return the numbers of all workers in Prometheus' text format."""
        if not os.environ.get(MULTIPROCESS_VARIABLE):
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # not annotated there
        return generate_latest(registry)
