"""Which signals and weights rank best: the seeds' questions, SciFact and Cranfield, every signal alone and fused."""

from __future__ import annotations

import argparse
import json
import lzma
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from evaluate import read_questions

from rag import Assistant, Passage, load_settings
from rag.chain import checked_turns
from rag.embedding import open_model
from rag.retrieval import Query, retrieve

DEPTH = 100  # candidates whose signals are compared
WEIGHTS: dict[str, Mapping[str, float]] = {
    "chunk alone": {"chunk": 1},
    "best sentence alone": {"sentence": 1},
    "best three sentences alone": {"sentences": 1},
    "bm25 alone": {"bm25": 1},
    "dense, no bm25": {"chunk": 0.5, "sentences": 0.5},
    "chunk and bm25": {"chunk": 1, "bm25": 0.012},
    "chunk, best sentence, bm25": {"chunk": 0.5, "sentence": 0.5, "bm25": 0.012},
    "chunk, three sentences, bm25 x 0.008": {"chunk": 0.5, "sentences": 0.5, "bm25": 0.008},
    "chunk, three sentences, bm25 x 0.012": {"chunk": 0.5, "sentences": 0.5, "bm25": 0.012},
    "chunk, three sentences, bm25 x 0.015": {"chunk": 0.5, "sentences": 0.5, "bm25": 0.015},
    "chunk, three sentences, bm25 x 0.020": {"chunk": 0.5, "sentences": 0.5, "bm25": 0.020},
    "chunk, both sentence signals, bm25 x 0.012": {"chunk": 0.5, "sentences": 0.25, "sentence": 0.25, "bm25": 0.012},
    "chunk, both sentence signals, bm25 x 0.015": {"chunk": 0.5, "sentences": 0.25, "sentence": 0.25, "bm25": 0.015},
}
LATE = {"chunk": 0.5, "sentences": 0.5, "bm25": 0.012}
for _weight in (0.5, 1.0, 1.5, 2.0):
    WEIGHTS[f"the same and late interaction x {_weight}"] = {**LATE, "late": _weight}
WEIGHTS |= {
    "late interaction alone": {"late": 1},
    "late interaction and bm25": {"late": 1, "bm25": 0.012},
    "chunk, late interaction, bm25": {"chunk": 1.0, "late": 1.0, "bm25": 0.012},
    "late x 1.0, bm25 x 0.008": {**LATE, "late": 1, "bm25": 0.008},
    "late x 1.0, bm25 x 0.020": {**LATE, "late": 1, "bm25": 0.020},
    "late x 1.5, bm25 x 0.020": {**LATE, "late": 1.5, "bm25": 0.020},
}
Rankings = list[tuple[list[Passage], Mapping[str, float]]]  # candidates of a query, and the gain of each place


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--save", type=Path)
    arguments.add_argument(
        "--collections", nargs="*", default=["cranfield", "scifact"], help="BEIR folders of the test data"
    )
    given = arguments.parse_args()
    results: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as home:
        seeds = Assistant.open(load_settings(home=Path(home) / "seeds"))
        seeds.prepare()
        rankings = list(_seed_rankings(seeds))
        results["questions"] = {name: _first_gold(rankings, weights) for name, weights in WEIGHTS.items()}
        print(json.dumps(results["questions"], indent=1), flush=True)
        data = os.environ.get("FOOTNOTE_TEST_DATA")
        for collection in given.collections if data else ():
            rankings = list(_beir_rankings(Path(data or "") / "data" / collection, Path(home) / collection))
            results[collection] = {name: {"ndcg@10": _ndcg(rankings, weights)} for name, weights in WEIGHTS.items()}
            print(collection, json.dumps(results[collection], indent=1), flush=True)
    if given.save:
        given.save.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


def _seed_rankings(assistant: Assistant) -> Iterator[tuple[list[Passage], Mapping[str, float]]]:
    for question in read_questions():
        if question["gold"] and question["gold_mode"] == "any":
            chain, turns = assistant.chain, checked_turns(question["history"])
            query, _ = chain.standalone(chain.filled(), question["question"], turns)
            yield (
                list(retrieve(chain.filled(), chain.model, query, k=DEPTH).passages),
                dict.fromkeys(question["gold"], 1.0),
            )


def _beir_rankings(folder: Path, home: Path) -> Iterator[tuple[list[Passage], Mapping[str, float]]]:
    """Ingests a BEIR collection as a text file of titles and abstracts, then searches for every judged query."""
    text = home / "collection.txt"
    home.mkdir(parents=True)
    place_of = {}
    with _opened(folder) as corpus, text.open("w", encoding="utf-8") as out:
        line = 0
        for row in map(json.loads, corpus):
            title, abstract = " ".join(row["title"].split()), " ".join(row["text"].split())
            if abstract:
                out.write(f"{title or '-'}\nAbstract: {abstract}\n")
                line += 2
                place_of[str(row["_id"])] = f"{text.name}:{line}"
    assistant = Assistant.open(load_settings(home=home / "library"))
    assistant.ingest([text])
    library, model = assistant.chain.filled(), open_model(assistant.settings.embedding_model)
    gains: dict[str, dict[str, float]] = {}
    for row in (folder / "qrels.tsv").read_text("utf-8").splitlines()[1:]:
        query_id, document, gain = row.split("\t")
        if document in place_of:
            gains.setdefault(query_id, {})[place_of[document]] = float(gain)
    for query in map(json.loads, (folder / "queries.jsonl").read_text("utf-8").splitlines()):
        if any(gains.get(str(query["_id"]), {}).values()):
            passages = retrieve(library, model, Query(query["text"]), k=DEPTH).passages
            yield list(passages), gains[str(query["_id"])]


def _opened(folder: Path) -> IO[str]:
    packed = folder / "corpus.jsonl.xz"
    return (
        lzma.open(packed, "rt", encoding="utf-8")
        if packed.exists()
        else (folder / "corpus.jsonl").open(encoding="utf-8")
    )


def _ranked(passages: list[Passage], weights: Mapping[str, float]) -> list[Passage]:
    def fused(passage: Passage) -> float:
        return -sum(weight * passage.signals[name] for name, weight in weights.items())

    return sorted(passages, key=fused)


def _gain(passage: Passage, gains: Mapping[str, float]) -> float:
    return max((gains.get(f"{source}:{line}", 0.0) for source, line in passage.paper.places), default=0.0)


def _first_gold(rankings: Rankings, weights: Mapping[str, float]) -> dict[str, float]:
    ranks = []
    for passages, gains in rankings:
        hits = [rank for rank, passage in enumerate(_ranked(passages, weights), start=1) if _gain(passage, gains)]
        ranks.append(hits[0] if hits else math.inf)
    return {
        "hit@1": round(sum(rank == 1 for rank in ranks) / len(ranks), 4),
        "hit@5": round(sum(rank <= 5 for rank in ranks) / len(ranks), 4),
        "mrr": round(sum(1 / rank for rank in ranks) / len(ranks), 4),
    }


def _ndcg(rankings: Rankings, weights: Mapping[str, float], depth: int = 10) -> float:
    def discounted(gains: list[float]) -> float:
        return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains[:depth], start=1))

    def of(passages: list[Passage], gains: Mapping[str, float]) -> float:
        found = [_gain(passage, gains) for passage in _ranked(passages, weights)]
        return discounted(found) / discounted(sorted(gains.values(), reverse=True))

    return round(sum(of(*ranking) for ranking in rankings) / len(rankings), 4)


if __name__ == "__main__":
    main()
