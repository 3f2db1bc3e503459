"""Figures of a ranking, how sure a mean is, and whether two runs differ by more than noise; pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Statistic = Callable[..., Values]  # of an array along `axis`
Figures = Mapping[str, float]  # of one question, by metric

mean: Statistic = np.mean
median: Statistic = np.median
p95: Statistic = partial(np.percentile, q=95)

_SEED = 20  # the same files give the same intervals
_RESAMPLES = 2_000
_SIGN_FLIPS = 10_000
_AT_ONCE = 1_000_000  # numbers drawn at a time: 8 MB
_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic of a sample with its 95 % percentile bootstrap interval, and the size of the sample."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Difference:
    """How much more `after` has than `before`, by the same questions.

    Attributes:
        low: Lower end of the paired 95 % bootstrap interval of the difference.
        high: Upper end of that interval.
        p: Two-sided p-value of a paired sign-flip permutation test.
    """

    before: float
    after: float
    difference: float
    low: float
    high: float
    p: float
    n: int


def hit(gains: Sequence[float], k: int) -> float:
    """1.0 when any of the first k is relevant, else 0.0."""
    return float(any(gain > 0 for gain in gains[:k]))


def first_rank(gains: Sequence[float]) -> int | None:
    """The 1-based rank of the first relevant one."""
    return next((rank for rank, gain in enumerate(gains, start=1) if gain > 0), None)


def reciprocal_rank(gains: Sequence[float], k: int | None = None) -> float:
    """1 / rank of the first relevant one within the first k; 0 when there is none."""
    rank = first_rank(gains[:k])
    return 1 / rank if rank else 0.0


def recall(gains: Sequence[float], relevant: int, k: int) -> float:
    """Share of all relevant ones, found or not, that are within the first k."""
    return sum(gain > 0 for gain in gains[:k]) / relevant


def ndcg(gains: Sequence[float], ideal: Sequence[float], k: int) -> float:
    """Normalised discounted cumulative gain with linear gains, as trec_eval has it (Järvelin and Kekäläinen 2002).

    Args:
        gains: Gains of the ranked documents, best first.
        ideal: All gains there are, found or not, in any order; at least one above 0.
    """
    return _dcg(gains[:k]) / _dcg(sorted(ideal, reverse=True)[:k])


def estimate(values: Sequence[float] | Values, statistic: Statistic = mean) -> Estimate:
    """A statistic of at least one value; the interval is that of the values drawn anew with replacement."""
    sample = np.asarray(values, dtype=np.float64)
    resampled = np.concatenate([statistic(sample[rows], axis=1) for rows in _resamples(len(sample))])
    low, high = np.quantile(resampled, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Estimate(float(statistic(sample, axis=0)), float(low), float(high), len(sample))


def estimate_difference(before: Sequence[float], after: Sequence[float]) -> Difference:
    """The paired difference of two runs over the same questions, in the same order."""
    first, second = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    gained = second - first
    found = estimate(gained)
    means = float(first.mean()), float(second.mean()), found.value
    return Difference(*means, found.low, found.high, _sign_flip_p(gained), found.n)


def compare_figures(before: Sequence[Figures], after: Sequence[Figures]) -> dict[str, Difference]:
    """The difference in every metric, over the questions that have it in both runs; both have the same questions."""
    found = {}
    for name in dict.fromkeys(name for figures in before for name in figures):
        pairs = [(one[name], other[name]) for one, other in zip(before, after, strict=True)
                 if name in one and name in other]  # fmt: skip
        if pairs:
            found[name] = estimate_difference(*zip(*pairs, strict=True))
    return found


def _dcg(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1) if gain > 0)


def _resamples(n: int) -> Iterator[NDArray[np.int64]]:
    """Rows of n indices drawn with replacement, `_RESAMPLES` in all, some at a time."""
    drawing = np.random.default_rng(_SEED)
    for rows in _portions(_RESAMPLES, n):
        yield drawing.integers(0, n, size=(rows, n))


def _sign_flip_p(gained: Values) -> float:
    """How often a mean as far from 0 comes about when each difference might as well have had the other sign."""
    changed = gained[gained != 0]  # the others flip to themselves
    if not len(changed):
        return 1.0
    drawing = np.random.default_rng(_SEED)
    at_least = 0
    for rows in _portions(_SIGN_FLIPS, len(changed)):
        signs = drawing.integers(0, 2, size=(rows, len(changed))) * 2.0 - 1.0
        at_least += int((np.abs(signs @ changed) >= abs(changed.sum()) - 1e-9).sum())
    return (at_least + 1) / (_SIGN_FLIPS + 1)  # the flip that was observed is one of them


def _portions(total: int, width: int) -> Iterator[int]:
    most = max(1, _AT_ONCE // max(1, width))
    for first in range(0, total, most):
        yield min(most, total - first)
