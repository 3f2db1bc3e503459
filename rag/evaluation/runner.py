"""Runs a question file against the library, or a BEIR folder against a library of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from rag.answering.question import checked_turns
from rag.assistant import Assistant
from rag.errors import EvaluationError
from rag.evaluation import beir, questions, results
from rag.evaluation.measured import Gains, Measured
from rag.evaluation.questions import Question
from rag.evaluation.results import Result
from rag.retrieval.ranking import Query, retrieve
from rag.settings import Settings
from rag.share.provenance import text_hash
from rag.terminal import progress_bar
from rag.types import Answer, Paper, Passage

DEPTH = 100  # papers ranked for a question; what is below is as good as not found


def run(settings: Settings, path: Path, *, split: str | None = None, ablation: bool = False) -> Result:
    """Runs a folder in BEIR's format, or a question file.

    Raises:
        EvaluationError: It cannot be read or does not fit the library; the message says what to do.
        RagError: The library or the language model fails.
    """
    if path.is_dir():
        return run_collection(settings, path, split=split, ablation=ablation)
    if split is not None:
        raise EvaluationError(f"{path}: a question file has no splits; leave out --split, or name a BEIR folder.")
    return run_questions(settings, path, ablation=ablation)


def run_questions(settings: Settings, path: Path, *, ablation: bool = False) -> Result:
    """Asks every question of a file, one after the other in this process, and scores the answers."""
    asked = questions.read_questions(path)
    assistant = Assistant.open(settings)
    assistant.prepare()
    papers = assistant.papers()
    notes = _check_gold(path, asked, papers)
    assistant.search(asked[0].question)  # warm: the first search pays for what all later ones use
    measured = Measured(ablation)
    with progress_bar("Asking") as progress:
        for number, question in enumerate(asked, start=1):
            history = [turn.model_dump() for turn in question.history]
            started = time.perf_counter()
            answer = assistant.answer(question.question, history=history)
            latency_ms = (time.perf_counter() - started) * 1000
            measured.add_answer(question, answer, _deep_ranking(assistant, question, answer), latency_ms)
            progress(number, len(asked))
    return measured.result(
        settings,
        corpus=results.corpus_of(papers, "library"),
        source=results.Source(name=path.name, hash=beir.digest(path), count=len(asked)),
        notes=notes,
    )


def run_collection(settings: Settings, folder: Path, *, split: str | None = None, ablation: bool = False) -> Result:
    """Ingests a BEIR corpus where that was not done before, and ranks it for every judged query of a split."""
    collection = beir.find_collection(folder, split)
    judged = beir.read_judged(collection)
    lines = beir.document_lines(collection.corpus)
    assistant = Assistant.open(own_library(settings, collection.corpus))
    with progress_bar("Ingesting") as progress:
        report = assistant.ingest([collection.corpus], progress=progress)
    if not report.total:
        reason = report.skipped[0].reason if report.skipped else "it is empty"
        raise EvaluationError(f"{collection.corpus}: no document could be ingested: {reason}.")
    papers = assistant.papers()
    # The library holds this corpus only, if by several paths: a line means the same in each of its places.
    by_line = {line: paper.id for paper in papers for _, line in paper.places}
    paper_of = {document: by_line[line] for document, line in lines.items() if line in by_line}
    measured = Measured(ablation)
    answering = assistant.answering
    library = answering.handle.filled()
    retrieve(library, answering.model, Query(judged[0].text), k=DEPTH)  # warm, as above
    with progress_bar("Searching") as progress:
        for number, query in enumerate(judged, start=1):
            started = time.perf_counter()
            ranking = retrieve(library, answering.model, Query(query.text), k=DEPTH).passages
            search_ms = (time.perf_counter() - started) * 1000
            measured.add_ranking(query.id, Gains.of(query.gains, paper_of), ranking, search_ms)
            progress(number, len(judged))
    absent = {key for query in judged for key, gain in query.gains.items() if gain > 0 and key not in paper_of}
    notes = [f"{report.embedded} texts embedded; {len(report.skipped)} lines of the corpus skipped."]
    if absent:
        notes.append(f"{len(absent)} relevant documents are not in the library; they count as not found.")
    return measured.result(
        assistant.settings,
        corpus=results.corpus_of(papers, collection.corpus.name),
        source=results.Source(
            name=folder.resolve().name, hash=beir.digest(collection.queries, collection.qrels), count=len(judged)
        ),
        split=collection.split,
        notes=notes,
    )


def own_library(settings: Settings, corpus: Path) -> Settings:
    """A home of this corpus and model alone, within the user's: ingested once, and never mixed with their papers."""
    name = f"{beir.digest(corpus)}-{text_hash(settings.embedding_model)}"
    return settings.model_copy(
        update={
            "home": settings.home / "eval" / name,
            "models": settings.models_folder,
            "chroma_url": None,
            "auto_ingest": False,
        }
    )


def _deep_ranking(assistant: Assistant, question: Question, answer: Answer) -> list[Passage]:
    """The answer's own ranking and what follows it."""
    answering = assistant.answering
    if answering.settings.llm_configured:  # which is not asked a second time what is searched for
        query = Query(answer.standalone_question)
    else:
        turns = checked_turns([turn.model_dump() for turn in question.history])
        query = answering.standalone(answering.handle.filled(), question.question, turns)
    known = {passage.paper.id for passage in answer.passages}
    deep = retrieve(answering.handle.filled(), answering.model, query, k=DEPTH).passages
    return [*answer.passages, *(passage for passage in deep if passage.paper.id not in known)]


def _check_gold(path: Path, asked: Sequence[Question], papers: Sequence[Paper]) -> list[str]:
    """What a reader should know of gold places that the library does not have.

    Raises:
        EvaluationError: It has none of them.
    """
    places = {f"{source}:{line}" for paper in papers for source, line in paper.places}
    wanted = {place for question in asked for place in question.gold}
    missing = sorted(wanted - places)
    if wanted and len(missing) == len(wanted):
        raise EvaluationError(
            f"{path}: none of its places, e.g. {missing[0]}, is in the library; ingest those files first, or set"
            " RAG_HOME to the library that the questions are about."
        )
    if not missing:
        return []
    return [f"{len(missing)} places, e.g. {missing[0]}, are not in the library; they count as not found."]
