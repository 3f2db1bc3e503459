"""How the library grows: 1,000, 10,000 or 100,000 real titles and abstracts, ingested once and asked.

The papers are spread evenly over the test collection and written as JSON lines beside the home; `footnote ingest` reads
them in a process of its own, whose time and peak of resident memory are taken. Then `retrieve` is asked 200 titles of
papers that are in no library of these benchmarks, by itself, and within one venue, within three years, within the
earlier half, which leaves out just what is like a newer question, and within what no paper has; with late interaction
and without it, all of these in random order. The candidates, dense and lexical, are timed alone, with each filter, too; the
dense ones are held to an exact scan of the same vectors, and those within a filter to the comparison of all chunks that
it admits. Last, `footnote ask` from cold, and what it takes to add one paper:
as one more line of the big file, and as a file of its own.

With --home the library is kept and used again: an ingest that was killed goes on where it was, and a finished one is
not repeated, its figures are read from beside the home.
"""

from __future__ import annotations

import argparse
import inspect
import json
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rag.library.candidates import Runs
from rag.library.library import Library
from rag.library.records import Vectors
from rag.models.embedding import EmbeddingModel, open_model
from rag.retrieval.candidate_search import find_candidates
from rag.retrieval.ranking import Query, retrieve
from rag.retrieval.signals import WEIGHTS, embed_query
from rag.settings import Precision, Settings
from rag.types import Filter
from tests.bench.exact import recall, scan_of
from tests.bench.measuring import (
    FOOTNOTE,
    SEED,
    Target,
    conclude,
    environment,
    machine,
    median,
    percentiles_ms,
    real_papers,
    spent_by,
)

FILTERS = {
    "none": None,
    "one venue": Filter(venues=("emnlp",)),
    "three years": Filter(years=(2015, 2017)),
    "half, by year": Filter(years=(0, 2019)),
    "nothing": Filter(venues=("The Journal That Never Was",)),
}
CANDIDATES, DEPTH = 150, 10
RETRIEVAL_P95_MS, CANDIDATES_P95_MS, RECALL = 60.0, 30.0, 0.98
STAGES: dict[str, dict[str, Any]] = {
    "without_late": {"weights": {name: weight for name, weight in WEIGHTS.items() if name != "late"}},
    "with_late": {},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", type=Path, help="a file of the results of all sizes; this size's are put into it")
    parser.add_argument("--papers", type=int, default=1_000)
    parser.add_argument("--home", type=Path, help="where the library is kept; it is gone with the script otherwise")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precision", choices=("float32", "int8"), default="float32", help="of the ingest")
    given = parser.parse_args()
    if "weights" not in inspect.signature(retrieve).parameters:  # before hours of ingest
        parser.error("retrieve() takes no weights, so that late interaction cannot be left out")
    with tempfile.TemporaryDirectory() as name:
        home = (given.home or Path(name) / "home").resolve()
        home.parent.mkdir(parents=True, exist_ok=True)
        figures = measured(home, Path(name), given)
    stages = figures["retrieval"]
    strays = sum(found["strays"] for stage in stages.values() for found in stage.values())
    candidates, by_filter = figures["candidates"], figures["candidates_by_filter"]
    targets = [
        *(Target(f"p95_ms of retrieve without late interaction, filter: {name}", found["p95_ms"], RETRIEVAL_P95_MS)
          for name, found in stages["without_late"].items()),
        Target("p95_ms of a question's embedding and candidates", candidates["p95_ms"], CANDIDATES_P95_MS),
        Target("recall@10 of the dense candidates", candidates["recall@10"], RECALL, at_least=True),
        *(Target(f"p95_ms of the candidates, filter: {name}", found["p95_ms"], CANDIDATES_P95_MS)
          for name, found in by_filter.items()),
        *(Target(f"recall@10 of the candidates, filter: {name}", found["recall@10"], RECALL, at_least=True)
          for name, found in by_filter.items()),
        Target("papers found that their filter does not admit", strays, 0),
    ]  # fmt: skip
    conclude(figures, targets, given.save, size=given.papers)


def measured(home: Path, folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """All figures of one size; `given` as on the command line."""
    file = home.with_name(f"{home.name}-papers.jsonl")
    ingest = _ingested(home, file, folder, given.papers, given.precision)
    settings = Settings(_env_file=None, home=home)  # type: ignore[call-arg]
    model, library = open_model(settings), Library.open(settings)
    assert library is not None
    asked = real_papers().questions(given.questions)
    figures: dict[str, Any] = {
        "papers": library.size,
        "ingest": ingest,
        "disk_mb": disk_mb(home),
        "retrieval": asked_ms(library, model, asked, given.rounds),
        "candidates": candidates_ms(library, model, asked, given.rounds),
        "candidates_by_filter": candidates_by_filter(library, model, asked, given.rounds),
    }
    library.close()
    cold = [_asked(home, folder, asked[turn]) for turn in range(given.rounds + 1)][
        1:
    ]  # the first fills the system's cache
    figures["cold_answer"] = {
        "seconds": median([seconds for seconds, _ in cold]),
        "peak_mb": median([peak_mb for _, peak_mb in cold], 1),
    }
    figures["one_more_paper"] = _one_more(home, file, folder, given.papers, given.precision)
    return figures


def _ingested(home: Path, file: Path, folder: Path, papers: int, precision: Precision) -> dict[str, Any]:
    """Time, rate and memory of `footnote ingest` of so many papers; those of the run that did it, where it is done."""
    if not file.exists():  # later runs add lines to it, see `_one_more`
        file.write_text("".join(json.dumps(row) + "\n" for row in real_papers().spread(papers)), "utf-8")
    done = home / "measured-ingest.json"  # within the home, so that both are there or gone
    if done.exists():
        figures: dict[str, Any] = json.loads(done.read_text("utf-8"))
        if (figures["given"], figures["precision"]) != (papers, precision):
            raise SystemExit(f"{home} holds {figures['given']} papers, {figures['precision']}; name another --home")
        return figures
    spent = spent_by([FOOTNOTE, "ingest", file, "--json"], env=_ingesting(home, precision), folder=folder)
    report = json.loads(spent.printed)
    figures = {
        "given": papers,
        "precision": precision,
        "added": report["added"],  # fewer where an earlier run was killed, or papers are the same
        "seconds": round(spent.seconds, 1),
        "papers_per_s": round(report["added"] / spent.seconds, 1),
        "texts_per_s": round(report["embedded"] / spent.seconds, 1),
        "peak_mb": round(spent.peak_mb, 1),
        "machine": machine(),
    }
    done.write_text(json.dumps(figures), "utf-8")
    return figures


def kept(home: Path) -> tuple[Library, EmbeddingModel]:
    """A library that this script has filled, and its model, for other scripts."""
    settings = Settings(_env_file=None, home=home.resolve())  # type: ignore[call-arg]
    if (library := Library.open(settings)) is None:
        raise SystemExit(f"{home} holds no library; fill it first: python -m tests.bench.scale --home {home}")
    return library, open_model(settings)


def _ingesting(home: Path, precision: Precision) -> dict[str, str]:
    return environment(home, RAG_EMBEDDING_PRECISION=precision)


def disk_mb(home: Path) -> dict[str, float]:
    """Megabytes of each part of the home."""
    parts: dict[str, float] = {}
    for file in home.rglob("*"):
        if file.is_file():
            part = file.relative_to(home).parts[0]
            parts[part] = parts.get(part, 0.0) + file.stat().st_size / 1e6
    return {name: round(size, 2) for name, size in sorted(parts.items())} | {"all": round(sum(parts.values()), 2)}


def asked_ms(library: Library, model: EmbeddingModel, questions: Sequence[str], rounds: int) -> dict[str, Any]:
    """Percentiles of `retrieve`, its embedding included, by filter, with and without late interaction."""
    cases = [(stage, name) for stage in STAGES for name in FILTERS]
    spent: dict[tuple[str, str], list[float]] = {case: [] for case in cases}
    strays = dict.fromkeys(cases, 0)
    for stage, name in cases:  # not counted: what is loaded at the first question
        retrieve(library, model, Query("What is grokking?"), k=DEPTH, where=FILTERS[name], **STAGES[stage])
    shuffled = random.Random(SEED)  # noqa: S311  so that none follows itself in another way, whose rows it would find
    asked = [(question, *case) for question in questions for case in cases]
    for _ in range(rounds):
        shuffled.shuffle(asked)
        for question, stage, name in asked:
            where = FILTERS[name]
            began = time.perf_counter()
            found = retrieve(library, model, Query(question), k=DEPTH, where=where, **STAGES[stage])
            spent[stage, name].append(time.perf_counter() - began)
            strays[stage, name] += sum(where is not None and not where.admits(each.paper) for each in found.passages)
    admitted = {name: library.reader.count(where) for name, where in FILTERS.items()}
    return {
        stage: {
            name: percentiles_ms(spent[stage, name]) | {"strays": strays[stage, name], "admitted": admitted[name]}
            for name in FILTERS
        }
        for stage in STAGES
    }


def candidates_ms(library: Library, model: EmbeddingModel, questions: Sequence[str], rounds: int) -> dict[str, Any]:
    """Percentiles of what all that follows is chosen from: one embedding, one dense and one lexical search."""
    scan, recalls, spent = scan_of(library, model), [], []
    for _ in range(rounds):
        for question in questions:
            began = time.perf_counter()
            vector = model.embed([question])[0]
            near = library.dense.find_nearest(vector, CANDIDATES)
            library.lexical.search(question, 100)
            spent.append(time.perf_counter() - began)
            recalls.append(recall(near, scan.find_nearest(vector, CANDIDATES)))
    return percentiles_ms(spent) | {"recall@10": round(float(np.mean(recalls)), 4), "vectors": len(scan.vectors)}


def candidates_by_filter(
    library: Library, model: EmbeddingModel, questions: Sequence[str], rounds: int
) -> dict[str, Any]:
    """As `candidates_ms`, for what each filter admits, by the way that `retrieve` goes to them."""
    figures = {}
    for name, where in FILTERS.items():
        if where is None or not library.reader.count(where):
            continue
        exact = _Admitted(library.reader.read(lambda papers, where=where: list(papers.chunk_vectors(where))))
        recalls, spent = [], []
        for turn in range(rounds):
            for question in questions:
                began = time.perf_counter()
                asked = embed_query(model, question, "", library.lexical.word_idf)
                keys, _ = find_candidates(library, question, "", asked.vector, where)
                spent.append(time.perf_counter() - began)
                if turn == 0:
                    recalls.append(exact.recall(keys, asked.vector))
        figures[name] = percentiles_ms(spent) | {"recall@10": round(float(np.mean(recalls)), 4)}
    return figures


@dataclass(frozen=True, slots=True)
class _Admitted:
    """The papers that a filter admits, with all their chunks, in pages."""

    pages: list[tuple[list[str], Runs]]

    def recall(self, found: Sequence[str], vector: Vectors) -> float:
        """The share of the ten nearest papers, each by its nearest chunk, that were found."""
        paper_ids = [key for keys, _ in self.pages for key in keys]
        cosines = np.concatenate([chunks.greatest(chunks.vectors @ vector) for _, chunks in self.pages])
        nearest = np.argsort(-cosines, kind="stable")[:DEPTH]
        return len({paper_ids[row] for row in nearest} & set(found)) / len(nearest)


def _asked(home: Path, folder: Path, question: str) -> tuple[float, float]:
    """Seconds and peak megabytes of `footnote ask` in a process of its own."""
    spent = spent_by([FOOTNOTE, "ask", question], env=environment(home), folder=folder)
    if not spent.printed.strip():
        raise RuntimeError(f"no answer to {question!r}")
    return spent.seconds, spent.peak_mb


def _one_more(home: Path, file: Path, folder: Path, papers: int, precision: Precision) -> dict[str, float]:
    """Seconds of a sync that adds a paper kept aside: to the big file, whose other lines are read again; on its own.

    The file that is left behind tells a later run which papers were added already.
    """
    added = len(file.read_text("utf-8").splitlines()) - papers
    line, other = (json.dumps(row) + "\n" for row in real_papers().held_out[-2 * added - 2 :][:2])
    with file.open("a", encoding="utf-8") as opened:
        opened.write(line)
    alone = home.with_name(f"{home.name}-one-{added}.jsonl")
    alone.write_text(other, "utf-8")
    seconds = {}
    for name, paths in {"one_more_line_s": [file], "file_of_its_own_s": [alone]}.items():
        spent = spent_by([FOOTNOTE, "ingest", *paths, "--json"], env=_ingesting(home, precision), folder=folder)
        if (counted := json.loads(spent.printed)["added"]) != 1:
            raise RuntimeError(f"{paths[0]}: {counted} papers were added, not one")
        seconds[name] = round(spent.seconds, 2)
    return seconds


if __name__ == "__main__":
    main()
