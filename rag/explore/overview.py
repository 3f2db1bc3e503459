"""A library seen as a whole: how much it holds, its topics, and its papers on a map."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """Papers that are about the same: a name in their own words, no two alike, and how many they are."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class PaperMap:
    """Papers on a plane: those that are alike lie together. The first three are parallel, a paper each.

    Attributes:
        places: Between -1 and 1 each; without a unit, and which way is up means nothing.
        topic_of: Index in `topics`.
        topics: Largest first.
        papers: How many the library has; where the map has fewer points, they are a sample.
    """

    paper_ids: tuple[str, ...] = ()
    places: tuple[tuple[float, float], ...] = ()
    topic_of: tuple[int, ...] = ()
    topics: tuple[Topic, ...] = ()
    papers: int = 0

    @property
    def sampled(self) -> bool:
        """Whether there were too many papers to show them all."""
        return len(self.paper_ids) < self.papers

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
