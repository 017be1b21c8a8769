"""What an instance counts, in Prometheus's form. Each instance has a registry of its own."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from huidu.ports import SpoolState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_DECODE_BUCKETS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120)
_AUDIO_BUCKETS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)


class Metrics:
    """Safe to count on from any thread.

    `queue_depth` tells how many requests wait or are decoded now, `spool` what waits for the history.
    """

    def __init__(self, version: str, queue_depth: Callable[[], int], spool: Callable[[], SpoolState]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "huidu_requests", "Recognition requests answered", ["face", "status"], registry=self._registry
        )
        self._errors = Counter("huidu_errors", "Recognitions that failed", ["error"], registry=self._registry)
        self._decode = Histogram(
            "huidu_decode_seconds", "Decoding of one audio", buckets=_DECODE_BUCKETS_S, registry=self._registry
        )
        self._audio = Histogram(
            "huidu_audio_seconds", "Length of one audio", buckets=_AUDIO_BUCKETS_S, registry=self._registry
        )
        self._gauge("huidu_queue_depth", "Requests that wait or are decoded", queue_depth)
        self._gauge("huidu_spooled_rows", "Recognitions that wait for the history", lambda: spool().waiting_rows)
        self._gauge("huidu_spooled_bytes", "Room that these take in the spool", lambda: spool().waiting_bytes)
        self._gauge("huidu_spool_capacity_bytes", "Room of the spool; 0: none", lambda: spool().capacity_bytes)
        self._gauge("huidu_lost_rows", "Recognitions that neither history nor spool took", lambda: spool().lost_rows)
        self.ready = Gauge("huidu_ready", "1 when loaded and warmed up", registry=self._registry)
        Gauge("huidu_version", "The version served", ["version"], registry=self._registry).labels(version).set(1)

    def answered(self, face: str, status: int) -> None:
        self._requests.labels(face, str(status)).inc()

    def decoded(self, audio_seconds: float, decode_seconds: float) -> None:
        self._audio.observe(audio_seconds)
        self._decode.observe(decode_seconds)

    def failed(self, error: str) -> None:
        """`error` is the name of an error family or class: few different values."""
        self._errors.labels(error).inc()

    def _gauge(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        Gauge(name, help_text, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        return generate_latest(self._registry)
