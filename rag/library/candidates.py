"""Papers to be scored: their vectors lie in two matrices, so that one product scores them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag.library.records import Vectors

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Runs:
    """Vectors of several papers end to end.

    Attributes:
        vectors: Unit vectors: shape `(sum(counts), d)`.
        counts: How many each paper has, at least one: shape `(papers,)`.
    """

    vectors: Vectors
    counts: NDArray[np.intp]

    @property
    def starts(self) -> NDArray[np.intp]:
        """Row of each paper's first vector."""
        return np.cumsum(self.counts) - self.counts

    def greatest(self, values: Vectors) -> Values:
        """The greatest value of each paper, of one value a vector."""
        return np.maximum.reduceat(values, self.starts).astype(np.float64)

    def mean_of_greatest(self, values: Vectors, most: int) -> Values:
        """The mean of each paper's greatest values, of one value a vector and at most `most` a paper."""
        table = np.full((len(self.counts), max(int(self.counts.max()), most)), -np.inf, dtype=np.float64)
        table[np.arange(table.shape[1]) < self.counts[:, None]] = values
        greatest = -np.partition(-table, most - 1, axis=1)[:, :most]
        there = np.minimum(self.counts, most)
        mean: Values = np.where(np.isfinite(greatest), greatest, 0).sum(axis=1) / there
        return mean

    def means(self) -> Vectors:
        """The mean vector of each paper: shape `(papers, d)`."""
        mean: Vectors = np.add.reduceat(self.vectors, self.starts, axis=0)
        mean /= self.counts[:, None]
        return mean

    def taken(self, order: Sequence[int]) -> Runs:
        """The vectors of the papers in these rows, in this order."""
        starts, counts = self.starts[list(order)], self.counts[list(order)]
        before = np.cumsum(counts) - counts
        rows = np.repeat(starts - before, counts) + np.arange(int(counts.sum()))
        return Runs(self.vectors[rows], counts)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Papers with the vectors of their chunks and of their sentences."""

    paper_ids: tuple[str, ...]
    chunks: Runs
    sentences: Runs

    def taken(self, order: Sequence[int]) -> Candidates:
        """The papers in these rows, in this order."""
        paper_ids = tuple(self.paper_ids[row] for row in order)
        return Candidates(paper_ids, self.chunks.taken(order), self.sentences.taken(order))
