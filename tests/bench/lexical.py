"""Our lexical index beside bm25s on the same titles and abstracts: building, opening, a question.

bm25s as its manual shows it, with its English stop words and the Snowball stemmer, which our index uses as well; both
find the 100 best papers of each question, in turns. Each index is built once a round, written to disk, and opened from
there, since that is how an answer meets it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import bm25s
import Stemmer

from rag.library.lexical_index import LexicalIndex
from rag.types import Paper
from tests.bench.measuring import conclude, in_turns, median, real_papers

BEST = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--papers", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    figures = {str(count): compared(count, given.questions, given.rounds) for count in given.papers}
    conclude(figures, [], given.save, "bm25s", "PyStemmer")


def compared(count: int, questions: int, rounds: int) -> dict[str, Any]:
    rows = real_papers().spread(count)
    papers = [
        Paper(f"{at:016x}", row["title"], row["title"], row["abstract"], "papers.jsonl", at + 1)
        for at, row in enumerate(rows)
    ]
    asked = real_papers().questions(questions)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        turns = iter(range(2 * rounds))
        found = in_turns(
            {"footnote": lambda: _ours(folder / str(next(turns)), papers, asked),
             "bm25s": lambda: _peers(folder / str(next(turns)), papers, asked)},
            rounds,
        )  # fmt: skip
    medians = {
        f"{name}_{what}": median([each[what] for each in runs], 4)
        for name, runs in found.items()
        for what in ("build_s", "open_s", "query_ms")
    }
    ratios = {
        f"{what}_ratio": round(medians[f"footnote_{what}"] / max(medians[f"bm25s_{what}"], 1e-9), 3)
        for what in ("build_s", "open_s", "query_ms")
    }
    return {**ratios, **medians, "papers": count, "questions": questions, "turns": rounds}


def _ours(folder: Path, papers: list[Paper], questions: list[str]) -> dict[str, float]:
    began = time.perf_counter()
    LexicalIndex.open_or_build(folder / "index", papers)
    build_s = time.perf_counter() - began
    began = time.perf_counter()
    index = LexicalIndex.open_or_build(folder / "index", ())
    open_s = time.perf_counter() - began
    spent_ms = []
    for question in questions:
        began = time.perf_counter()
        hits = index.search(question, BEST)
        spent_ms.append((time.perf_counter() - began) * 1000)
        assert hits, question
    return {"build_s": build_s, "open_s": open_s, "query_ms": median(spent_ms, 4)}


def _peers(folder: Path, papers: list[Paper], questions: list[str]) -> dict[str, float]:
    stemmer = Stemmer.Stemmer("english")
    began = time.perf_counter()
    texts = [f"{paper.title} {paper.abstract}" for paper in papers]
    built = bm25s.BM25()
    built.index(bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False), show_progress=False)
    built.save(folder)
    build_s = time.perf_counter() - began
    began = time.perf_counter()
    index = bm25s.BM25.load(folder)
    open_s = time.perf_counter() - began
    spent_ms = []
    for question in questions:
        began = time.perf_counter()
        words = bm25s.tokenize(question, stopwords="en", stemmer=stemmer, show_progress=False)
        hits, _ = index.retrieve(words, k=min(BEST, len(papers)), show_progress=False)
        spent_ms.append((time.perf_counter() - began) * 1000)
        assert hits.size, question
    return {"build_s": build_s, "open_s": open_s, "query_ms": median(spent_ms, 4)}


if __name__ == "__main__":
    main()
