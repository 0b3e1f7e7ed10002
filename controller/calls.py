"""How often each endpoint of the API is called, and how long its answers take.

An endpoint goes by its path as declared: what callers write into a path, or whatever they call a method, makes no new
series. Counted by hand, since it is done at each call, and by one thread: the library's instruments, with a lock and a
search through the buckets each, cost seven times as much.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from aiohttp import hdrs, web
from aiohttp.web_urldispatcher import AbstractResource
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

NO_ENDPOINT, NO_METHOD = "none", "other"
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds."""

Kind = tuple[AbstractResource | None, str, int]
"""Of an answer: endpoint, method, status."""


class Calls(Collector):
    def __init__(self) -> None:
        self._tallies: dict[Kind, _Tally] = {}

    def answered(self, request: web.Request, response: web.StreamResponse, seconds: float) -> None:
        """A stream counts as a call, and not how long somebody listened to it."""
        kind = (request.match_info.route.resource, request.method, response.status)
        tally = self._tallies.get(kind) or self._begun(*kind)
        if isinstance(response, web.Response):
            tally.within[bisect_left(BUCKETS, seconds)] += 1
            tally.seconds += seconds
        else:
            tally.streams += 1

    def _begun(self, resource: AbstractResource | None, method: str, status: int) -> _Tally:
        known = method if method in hdrs.METH_ALL else NO_METHOD
        return self._tallies.setdefault((resource, known, status), _Tally())

    def collect(self) -> Iterator[Metric]:
        words = "Answers of the API, by endpoint (none: there is no such one), method and status."
        answers = CounterMetricFamily("mcm_api_requests", words, labels=("endpoint", "method", "status"))
        words = "Time that an answer of the API took, the wait for its effect included; streams are left out."
        times = HistogramMetricFamily("mcm_api_request_duration_seconds", words, labels=("endpoint", "method"))
        by_call: dict[tuple[str, str], _Tally] = {}
        for (resource, method, status), tally in self._tallies.items():
            endpoint = NO_ENDPOINT if resource is None else resource.canonical
            answers.add_metric((endpoint, method, str(status)), sum(tally.within) + tally.streams)
            by_call.setdefault((endpoint, method), _Tally()).add(tally)
        for call, tally in by_call.items():
            bounds = (*map(str, BUCKETS), "+Inf")
            times.add_metric(call, tuple(zip(bounds, accumulate(tally.within), strict=True)), tally.seconds)
        yield answers
        yield times


class _Tally:
    __slots__ = ("seconds", "streams", "within")

    def __init__(self) -> None:
        self.streams = 0
        self.seconds = 0.0
        self.within = [0] * (len(BUCKETS) + 1)
        """Answers by the first of `BUCKETS` that they stayed within; the last: none."""

    def add(self, other: _Tally) -> None:
        self.seconds += other.seconds
        self.within = [ours + theirs for ours, theirs in zip(self.within, other.within, strict=True)]
