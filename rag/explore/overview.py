"""A library seen as a whole: how much it holds, its topics, and its papers on a map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from rag.types import Paper

MOST_POINTS = 100_000  # what a browser draws and a reader sees; of more papers a sample is shown


@dataclass(frozen=True, slots=True)
class Topic:
    """Papers that are about the same: a name in their own words, no two alike, and how many papers."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class PaperMap:
    """Papers on a plane: those that are alike lie together. The first three fields are parallel, one entry a paper.

    Attributes:
        places: Two coordinates from -1 to 1, without a unit; which way is up means nothing.
        topic_of: Index in `topics`.
        topics: Largest first.
        papers: How many papers the library has; a map with fewer points shows a sample.
    """

    paper_ids: tuple[str, ...] = ()
    places: tuple[tuple[float, float], ...] = ()
    topic_of: tuple[int, ...] = ()
    topics: tuple[Topic, ...] = ()
    papers: int = 0

    def members(self, number: int) -> tuple[str, ...]:
        """Ids of the papers of a topic, by its index in `topics`."""
        return tuple(key for key, topic in zip(self.paper_ids, self.topic_of, strict=True) if topic == number)


@dataclass(frozen=True, slots=True)
class Overview:
    """What a library holds, in numbers.

    Attributes:
        sources: Name and papers of each file, most first; a paper found in several counts in each.
        years: The first and the last of the papers whose year is known; None where none is.
        topics: As on the map, largest first.
    """

    papers: int = 0
    sources: tuple[tuple[str, int], ...] = ()
    years: tuple[int, int] | None = None
    topics: tuple[Topic, ...] = ()


def make_overview(papers: Collection[Paper], topics: tuple[Topic, ...]) -> Overview:
    """Counts the papers by source, and finds the first and last year."""
    sources = Counter(source for paper in papers for source in {source for source, _ in paper.places})
    years = [paper.year for paper in papers if paper.year is not None]
    return Overview(
        papers=len(papers),
        sources=tuple(sorted(sources.items(), key=lambda counted: (-counted[1], counted[0]))),
        years=(min(years), max(years)) if years else None,
        topics=topics,
    )
