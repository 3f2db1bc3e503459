"""A library larger than the real papers at hand: a kept one's papers again and again, their vectors moved each time.

A copy has the texts of its paper, under an id of its own; the vectors of its chunks are the paper's with noise, so that
two copies of one lie about as far apart as neighbouring papers do (a cosine of 0.85). They are written as a sync writes
them, only nothing is embedded, which would take a day: so the figures are those of everything but embedding. Then the
library is opened, which derives the paper store and the lexical index from it, and asked as scale.py does.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np

from rag.library.library import Library
from rag.library.library_writer import LibraryWriter
from rag.library.records import EmbeddedPaper, Vectors, chunk_id
from rag.models.embedding import EmbeddingModel
from rag.settings import Settings
from tests.bench.exact import stored_vectors
from tests.bench.measuring import Target, conclude, real_papers
from tests.bench.scale import CANDIDATES_P95_MS, RECALL, asked_ms, candidates_ms, disk_mb, kept

NOISE = 0.42  # its length beside a vector's own: 1 / (1 + 0.42²) = 0.85
_PAGE = 256  # papers written at once, as in an ingest of many
_STEPS = 10  # that the time of writing is told of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--home", type=Path, required=True, help="the RAG_HOME that scale.py filled")
    parser.add_argument("--papers", type=int, default=200_000)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    source, model = kept(given.home)
    with tempfile.TemporaryDirectory(dir=given.home.resolve().parent) as name:
        grown = Settings(_env_file=None, home=Path(name))  # type: ignore[call-arg]
        steps = write_copies(source, model, grown, given.papers)
        source.close()
        written_mb = _peak_mb()
        began = time.perf_counter()
        library = Library.open(grown)
        assert library is not None
        figures: dict[str, Any] = {
            "papers": library.size,
            "write_seconds_by_step": steps,
            "derive_seconds": round(time.perf_counter() - began, 1),
            "peak_mb": {"written": written_mb, "derived": _peak_mb()},
            "disk_mb": disk_mb(grown.home),
        }
        asked = real_papers().questions(given.questions)
        figures["retrieval"] = asked_ms(library, model, asked, given.rounds)
        figures["candidates"] = candidates_ms(library, model, asked, given.rounds)
        library.close()
    candidates = figures["candidates"]
    targets = [
        Target("p95_ms of a question's embedding and candidates", candidates["p95_ms"], CANDIDATES_P95_MS),
        Target("recall@10 of the dense candidates", candidates["recall@10"], RECALL, at_least=True),
    ]
    conclude(figures, targets, given.save)


def write_copies(source: Library, model: EmbeddingModel, settings: Settings, papers: int) -> list[float]:
    """Fills a library with copies; the seconds that each tenth of it took to write."""
    library = Library.create(settings, model.dimension)
    vectors_by_id = dict(zip(*stored_vectors(source, model), strict=True))
    made = islice(copies(source, vectors_by_id), papers)
    steps, done = [0.0] * _STEPS, 0
    while page := list(islice(made, _PAGE)):
        began = time.perf_counter()
        LibraryWriter(library).write(page)
        steps[min(done * _STEPS // papers, _STEPS - 1)] += time.perf_counter() - began
        done += len(page)
    LibraryWriter(library).restamp(syncing=False)
    library.close()
    return [round(seconds, 1) for seconds in steps]


def copies(source: Library, vectors: dict[str, Vectors]) -> Iterator[EmbeddedPaper]:
    """Every paper, then every paper again, and so on, each time with other noise in the vectors of its chunks."""
    noise = np.random.default_rng(20)
    for turn in count():
        for record in source.reader.read_all_embedded():
            own = np.stack([vectors[chunk_id(record.paper.id, number)] for number in range(len(record.chunks))])
            added = noise.standard_normal(own.shape, dtype=np.float32)
            moved = own + NOISE * added / np.linalg.norm(added, axis=1, keepdims=True)
            moved /= np.linalg.norm(moved, axis=1, keepdims=True)
            another = hashlib.sha256(f"{record.paper.id} {turn}".encode()).hexdigest()[:16]
            both = np.concatenate([moved, record.sentence_vectors])
            yield replace(record, paper=replace(record.paper, id=another), vectors=both)


def _peak_mb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1)


if __name__ == "__main__":
    main()
