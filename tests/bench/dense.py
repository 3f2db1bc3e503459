"""What the nearest chunks cost beside an exact scan of the same vectors with numpy, and what is missed.

From a library that scale.py has kept, whole papers are written into libraries of their own until they have 1,000,
10,000, 100,000 vectors. Every question (the title of a paper that is in none) is embedded and searched for both ways,
in turns: with `DenseSearch.find_nearest`, and by one product with the matrix of all vectors, which lies in memory, and the best
of it; both give the papers of the 150 nearest chunks, as many as retrieval asks for. A library of up to 10,000 papers compares
all of its chunks itself, in the same way, but keeps a byte a number; above that Chroma's graph is searched. The embedding
is the same call on both sides and counted on both.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from rag.langchain.vectorstore import open_vectorstore
from rag.library.library import Library
from rag.library.library_writer import LibraryWriter
from rag.library.records import EmbeddedPaper, Vectors
from rag.models.embedding import EmbeddingModel
from rag.settings import Settings
from tests.bench.exact import recall, scan_of
from tests.bench.measuring import Target, conclude, median, real_papers
from tests.bench.scale import kept

CANDIDATES = 150
RATIOS = {1_000: 1.5, 100_000: 1.0}
RECALL = 0.98
_PAGE = 500  # papers written at once


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--home", type=Path, required=True, help="the RAG_HOME that scale.py filled")
    parser.add_argument("--vectors", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    source, model = kept(given.home)
    questions = real_papers().questions(given.questions)
    figures = {}
    for size in given.vectors:
        with tempfile.TemporaryDirectory() as folder:
            library = part_of(source, model, size, Path(folder))
            figures[str(size)] = compared(library, model, questions, given.rounds)
            library.close()
        print(size, figures[str(size)], flush=True)
    targets = [Target(f"recall@10 at {size} vectors", found["recall@10"], RECALL, at_least=True)
               for size, found in figures.items()]  # fmt: skip
    targets += [Target(f"dense candidates / (embedding + exact scan) at {size} vectors", figures[str(size)]["ratio"], most)
                for size, most in RATIOS.items() if str(size) in figures]  # fmt: skip
    conclude(figures, targets, given.save)


def compared(library: Library, model: EmbeddingModel, questions: Sequence[str], rounds: int) -> dict[str, Any]:
    """Medians of a question's milliseconds both ways, their ratio, and the share of the exact ten nearest found."""
    scan = scan_of(library, model)
    ways = {"nearest": library.dense.find_nearest, "exact": scan.find_nearest}
    spent_ms: dict[str, list[float]] = {name: [] for name in ways}
    embedding_ms, recalls = [], []
    for name, search in ways.items():  # not counted: what is opened at the first search
        search(model.embed([name])[0], CANDIDATES)
    for turn in range(rounds):
        for number, question in enumerate(questions):
            found = {}
            for name in list(ways)[:: 1 if (turn + number) % 2 == 0 else -1]:
                began = time.perf_counter()
                vector = model.embed([question])[0]
                embedded = time.perf_counter()
                found[name] = ways[name](vector, CANDIDATES)
                spent_ms[name].append((time.perf_counter() - began) * 1000)
                embedding_ms.append((embedded - began) * 1000)
            recalls.append(recall(found["nearest"], found["exact"]))
    by_turn = [
        float(np.median(spent_ms["nearest"][first:after]) / np.median(spent_ms["exact"][first:after]))
        for first, after in ((turn * len(questions), (turn + 1) * len(questions)) for turn in range(rounds))
    ]
    return {
        "ratio": median(by_turn, 3),
        "ratio_by_turn": [round(min(by_turn), 3), round(max(by_turn), 3)],
        "recall@10": round(float(np.mean(recalls)), 4),
        "nearest_ms": median(spent_ms["nearest"]),
        "exact_ms": median(spent_ms["exact"]),
        "embedding_ms": median(embedding_ms),
        "vectors": len(scan.vectors),
        "questions": len(questions),
        "turns": rounds,
    }


def part_of(source: Library, model: EmbeddingModel, size: int, home: Path) -> Library:
    """A library of whole papers of another one that have so many chunks, or one or two less."""
    settings = Settings(_env_file=None, home=home)  # type: ignore[call-arg]
    library = Library.create(settings, model.dimension)
    store, written = open_vectorstore(source.settings, model), 0
    records = _until(source.reader.read_all_embedded(), size)
    while page := list(islice(records, _PAGE)):
        ids = [f"{record.paper.id}:{number}" for record in page for number in range(len(record.chunks))]
        got = store.get(ids=ids, include=["embeddings"])
        by_id = dict(zip(got["ids"], got["embeddings"], strict=True))
        rows = np.asarray([by_id[each] for each in ids], dtype=np.float32)
        LibraryWriter(library).write(list(_with_exact(page, rows)))
        written += len(ids)
    if written < size - 2:
        raise SystemExit(f"the library has {written} vectors, fewer than {size}; fill a greater one with scale.py")
    LibraryWriter(library).restamp(syncing=False)
    library.close()
    opened = Library.open(settings)
    assert opened is not None
    return opened


def _with_exact(records: list[EmbeddedPaper], rows: Vectors) -> Iterator[EmbeddedPaper]:
    """The records with the vectors of their chunks as the model gave them."""
    first = 0
    for record in records:
        own = rows[first : (first := first + len(record.chunks))]
        yield replace(record, vectors=np.concatenate([own, record.sentence_vectors]))


def _until(records: Iterator[EmbeddedPaper], size: int) -> Iterator[EmbeddedPaper]:
    """Records as long as all their chunks are no more than `size`."""
    chunks = 0
    for record in records:
        if chunks + len(record.chunks) <= size:
            chunks += len(record.chunks)
            yield record


if __name__ == "__main__":
    main()
