"""Sentences of the papers, each changed so that its paper no longer says it; and some as they are.

Every case is drawn with a fixed seed, from sorted papers, so that it is the same on every machine.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.text.sentences import find_sentences
from rag.types import Paper
from tests.bench.name_changes import Names, name_changes
from tests.bench.nearest import WordIndex, words_of
from tests.bench.number_changes import number_changes
from tests.bench.wording_changes import direction_changes, negation_changes

UNTOUCHED, WRONG_PAPER = "untouched", "wrong_paper"
WANTED = {
    ("number", "foreign"): 130, ("number", "swapped"): 80, ("number", "unit"): 40,
    ("entity", "foreign"): 120, ("entity", "own"): 100, ("entity", "version"): 20,
    ("negation", "added"): 150, ("negation", "removed"): 80,
    ("direction", "flipped"): 160, ("direction", "exchanged"): 40,
    (WRONG_PAPER, "near"): 100, (WRONG_PAPER, "random"): 100,
    (UNTOUCHED, "random"): 308, (UNTOUCHED, "original"): 200,
}  # fmt: skip
_NO_PROSE = re.compile(r"https?:|\\|mathbf|kleq|\$[a-z_]|\bet al\.?$|[{}]")
_SPECIFIC = 12  # a word in at most so many papers says something of its paper
_OWN_WORDS = 3  # so many of them must be unknown to the paper that is wrongly cited


@dataclass(frozen=True, slots=True)
class Case:
    """A sentence as an answer might say it, cited to a paper.

    Attributes:
        paper_id: The paper that is cited; not the sentence's own where the kind is `wrong_paper`.
        original: The sentence verbatim in its own paper's abstract.
        change: What was done, e.g. "41% -> 63%"; for `wrong_paper` the id of its own paper and of the cited one.
    """

    kind: str
    subkind: str
    paper_id: str
    original: str
    sentence: str
    change: str


def perturbed(papers: Sequence[Paper], seed: int = 7) -> list[Case]:
    """The cases of every kind, as many as `WANTED` says or the papers give."""
    ordered = sorted(papers, key=lambda paper: paper.id)
    candidates: dict[tuple[str, str], list[Case]] = defaultdict(list)
    for case in _changed(ordered, seed):
        candidates[case.kind, case.subkind].append(case)
    for case in _wrongly_cited(ordered, seed):
        candidates[case.kind, case.subkind].append(case)
    drawn = {key: _drawn(candidates[key], wanted, f"{seed} {key}") for key, wanted in WANTED.items()}
    changed = [case for (kind, _), cases in drawn.items() if kind not in (WRONG_PAPER, UNTOUCHED) for case in cases]
    originals = sorted({(case.paper_id, case.original) for case in changed})
    drawn[UNTOUCHED, "original"] = _drawn(
        [Case(UNTOUCHED, "original", paper_id, text, text, "") for paper_id, text in originals],
        WANTED[UNTOUCHED, "original"],
        f"{seed} originals",
    )
    return [case for key in WANTED for case in drawn[key]]


def _changed(papers: Sequence[Paper], seed: int) -> Iterator[Case]:
    names = Names.of({paper.id: paper.abstract for paper in papers})
    for paper in papers:
        for text in _sentences(paper):
            yield Case(UNTOUCHED, "random", paper.id, text, text, "")
            if _NO_PROSE.search(text):
                continue
            drawing = random.Random(f"{seed} {paper.id} {text}")  # noqa: S311 (a fixed seed is the point)
            for kind, changes in (
                ("number", number_changes(text, paper.abstract, drawing)),
                ("entity", name_changes(text, paper.id, paper.abstract, names, drawing)),
                ("negation", negation_changes(text, drawing)),
                ("direction", direction_changes(text, drawing)),
            ):
                for subkind, sentence, change in changes:
                    if sentence != text and sentence not in paper.abstract:
                        yield Case(kind, subkind, paper.id, text, sentence, change)


def _wrongly_cited(papers: Sequence[Paper], seed: int) -> Iterator[Case]:
    """Sentences cited to another paper that lacks the words by which they say something of their own."""
    words = {paper.id: set(words_of(paper.abstract)) for paper in papers}
    frequency = Counter(word for found in words.values() for word in found)
    index = WordIndex({paper.id: paper.abstract for paper in papers})
    for paper in papers:
        near = index.nearest(paper.abstract, besides={paper.id})
        for text in _sentences(paper):
            drawing = random.Random(f"{seed} {paper.id} {text} cited")  # noqa: S311
            specific = {word for word in words_of(text) if frequency[word] <= _SPECIFIC}
            for subkind, other in (("near", near), ("random", drawing.choice(papers).id)):
                if other not in ("", paper.id) and len(specific - words[other]) >= _OWN_WORDS:
                    yield Case(WRONG_PAPER, subkind, other, text, text, f"{paper.id} -> {other}")


def _sentences(paper: Paper) -> list[str]:
    """Those long enough to claim something."""
    texts = [paper.abstract[start:end] for start, end in find_sentences(paper.abstract)]
    return [text for text in texts if len(text.split()) >= 7 and len(text) <= 450]


def _drawn(cases: Sequence[Case], wanted: int, seed: str) -> list[Case]:
    """As many as wanted, one of each paper before a second of any."""
    shuffled = list(cases)
    random.Random(seed).shuffle(shuffled)  # noqa: S311
    seen: Counter[str] = Counter()
    rounds = []
    for case in shuffled:
        rounds.append((seen[case.paper_id], case))
        seen[case.paper_id] += 1
    return [case for _, case in sorted(rounds, key=lambda each: each[0])][:wanted]
