"""Measures what people wait for: an answer, the first ingest, the next one, the command line."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from rag.evaluation.questions import read_questions
from tests.bench.measuring import FOOTNOTE, ROOT, Target, conclude, environment, median, spent_by

QUESTION = "How many tasks does TimeArena have?"
TARGETS = {"answer_p95_ms": 150.0, "first_ingest_s": 60.0, "help_s": 0.5}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--save", type=Path)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        figures: dict[str, Any] = {"first_ingest_s": _seconds("ingest", home=home)}
        figures["next_ingest_s"] = _seconds("ingest", home=home)
        figures |= _answers(home)
        figures["bytes_per_paper"] = _bytes_per_paper(home)
        figures["ask_from_cold_s"] = median([_seconds("ask", QUESTION, home=home) for _ in range(3)])
        figures["help_s"] = median([_seconds("--help", home=home) for _ in range(5)])
        figures["library_mb"] = round(sum(file.stat().st_size for file in home.rglob("*") if file.is_file()) / 1e6, 1)
    if data := os.environ.get("FOOTNOTE_TEST_DATA"):
        figures["collection"] = _answers_of_a_collection(Path(data) / "data" / "scifact")
    conclude(figures, [Target(name, figures[name], most) for name, most in TARGETS.items()], given.save)


def _answers(home: Path) -> dict[str, float]:
    """Milliseconds of `answer()` over the benchmark's questions, in a process that has answered before."""
    from rag import Assistant, load_settings

    assistant = Assistant.open(load_settings(home=home))
    started = time.perf_counter()
    assistant.prepare()
    assistant.answer(QUESTION)
    until_warm_s = time.perf_counter() - started
    spent_ms = []
    for question in read_questions(ROOT / "tests" / "bench" / "questions.jsonl"):
        started = time.perf_counter()
        assistant.answer(question.question, history=[turn.model_dump() for turn in question.history])
        spent_ms.append((time.perf_counter() - started) * 1000)
    p50, p95 = np.percentile(spent_ms, [50, 95])
    return {
        "answer_p50_ms": round(float(p50), 1),
        "answer_p95_ms": round(float(p95), 1),
        "answer_max_ms": round(max(spent_ms), 1),
        "until_warm_s": round(until_warm_s, 2),
    }


def _answers_of_a_collection(folder: Path) -> dict[str, float]:
    """Milliseconds of `answer()` in a library of thousands: that of `footnote eval`, ingested if it is not there."""
    from rag import Assistant, load_settings
    from rag.evaluation.beir import find_collection, read_judged
    from rag.evaluation.runner import own_library

    collection = find_collection(folder)
    assistant = Assistant.open(own_library(load_settings(), collection.corpus))
    assistant.ingest([collection.corpus])
    questions = [judged.text for judged in read_judged(collection)]
    assistant.answer(questions[0])
    spent_ms = []
    for question in questions:
        started = time.perf_counter()
        assistant.answer(question)
        spent_ms.append((time.perf_counter() - started) * 1000)
    p50, p95 = np.percentile(spent_ms, [50, 95])
    return {
        "papers": len(assistant.papers()),
        "answer_p50_ms": round(float(p50), 1),
        "answer_p95_ms": round(float(p95), 1),
    }


def _bytes_per_paper(home: Path) -> dict[str, float]:
    """What the signals of one paper take, on average: embeddings made, vectors kept, and the bytes of these."""
    from rag import Assistant, load_settings
    from rag.models.late_interaction import unpack_signs

    library = Assistant.open(load_settings(home=home)).answering.handle.filled()
    records = list(library.reader.read_all_embedded())
    chunks, sentences, tokens = (
        float(np.mean([len(part) for part in parts]))
        for parts in zip(
            *(
                (each.chunks, each.sentences, unpack_signs(each.packed_tokens, each.vectors.shape[1]))
                for each in records
            ),
            strict=True,
        )
    )
    dimension = records[0].vectors.shape[1]
    kept = {
        "chunk": chunks * dimension,
        "chunk, in Chroma's own index": chunks * dimension * 4,
        "sentence, sentences": sentences * dimension,
        "late": tokens * dimension / 8,
    }
    return {
        "embeddings": round(chunks + sentences, 1),
        "token_vectors": round(tokens, 1),
        **{f"{name}_bytes": round(size) for name, size in kept.items()},
        "all_bytes": round(sum(kept.values())),
    }


def _seconds(*arguments: str, home: Path) -> float:
    """Wall time of the installed script in a process of its own, imports and all."""
    spent = spent_by([FOOTNOTE, *arguments], env=environment(home), folder=home.parent)
    return round(spent.seconds, 2)


if __name__ == "__main__":
    main()
