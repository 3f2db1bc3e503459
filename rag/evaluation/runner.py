"""Runs a question file against the library, or a BEIR folder against a library of its own."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from rag.answering.question import check_turns
from rag.assistant import Assistant
from rag.errors import EvaluationError
from rag.evaluation import beir
from rag.evaluation.baselines import BASELINES, list_ablations, quote_opening, rerank
from rag.evaluation.metrics import Figures, compare_figures
from rag.evaluation.questions import Question, read_questions, score_answer, score_ranking
from rag.evaluation.results import Result, Row, Source, hash_files, summarise
from rag.retrieval.ranking import Query, retrieve
from rag.settings import Settings
from rag.share.provenance import describe_origin, hash_papers, hash_text
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
        return run_beir(settings, path, split=split, ablation=ablation)
    if split is not None:
        raise EvaluationError(f"{path}: a question file has no splits; leave out --split, or name a BEIR folder.")
    return run_questions(settings, path, ablation=ablation)


def run_questions(settings: Settings, path: Path, *, ablation: bool = False) -> Result:
    """Asks every question of a file, one after the other in this process, and scores the answers."""
    asked = read_questions(path)
    assistant = Assistant.open(settings)
    assistant.prepare()
    papers = assistant.papers()
    notes = _check_gold(path, asked, papers)
    assistant.search(asked[0].question)  # warm: the first search pays for what all later ones use
    measured = _Measured(ablation)
    with progress_bar("Asking") as progress:
        for number, question in enumerate(asked, start=1):
            history = [turn.model_dump() for turn in question.history]
            started = time.perf_counter()
            answer = assistant.answer(question.question, history=history)
            latency_ms = (time.perf_counter() - started) * 1000
            ranking = _rank_deep(assistant, question, answer)
            row = score_answer(question, answer, ranking)
            row.figures["latency_ms"] = latency_ms
            measured.add(row, ranking, partial(_score_opening, question), partial(score_ranking, question))
            progress(number, len(asked))
    return measured.result(
        settings,
        corpus=_describe_papers(papers, "library"),
        questions=Source(name=path.name, hash=hash_files(path), count=len(asked)),
        notes=notes,
    )


def run_beir(settings: Settings, folder: Path, *, split: str | None = None, ablation: bool = False) -> Result:
    """Ingests a BEIR corpus where that was not done before, and ranks it for every judged query of a split."""
    collection = beir.find_collection(folder, split)
    judged = beir.read_judged(collection)
    lines = beir.find_document_lines(collection.corpus)
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
    measured = _Measured(ablation)
    answering = assistant.answering
    library = answering.handle.filled()
    retrieve(library, answering.model, Query(judged[0].text), k=DEPTH)  # warm, as above
    with progress_bar("Searching") as progress:
        for number, query in enumerate(judged, start=1):
            started = time.perf_counter()
            ranking = retrieve(library, answering.model, Query(query.text), k=DEPTH).passages
            search_ms = (time.perf_counter() - started) * 1000
            gains = beir.PaperGains.of(query.gains, paper_of)
            measured.add(
                gains.make_row(query.id, ranking, search_ms), ranking, gains.score_ranking, gains.score_ranking
            )
            progress(number, len(judged))
    absent = {key for query in judged for key, gain in query.gains.items() if gain > 0 and key not in paper_of}
    notes = [f"{report.embedded} texts embedded; {len(report.skipped)} lines of the corpus skipped."]
    if absent:
        notes.append(f"{len(absent)} relevant documents are not in the library; they count as not found.")
    return measured.result(
        assistant.settings,
        corpus=_describe_papers(papers, collection.corpus.name),
        questions=Source(
            name=folder.resolve().name, hash=hash_files(collection.queries, collection.qrels), count=len(judged)
        ),
        split=collection.split,
        notes=notes,
    )


def own_library(settings: Settings, corpus: Path) -> Settings:
    """A home of this corpus and model alone, within the user's: ingested once, and never mixed with their papers."""
    name = f"{hash_files(corpus)}-{hash_text(settings.embedding_model)}"
    home, models = settings.home / "eval" / name, settings.models_folder
    return settings.model_copy(update={"home": home, "models": models, "chroma_url": None, "auto_ingest": False})


class _Measured:
    """The rows of a run so far, with the figures of every baseline and ablation for the same questions."""

    def __init__(self, ablation: bool) -> None:
        self._rows: list[Row] = []
        self._baselines: dict[str, list[Figures]] = defaultdict(list)
        self._ablations: dict[str, list[Figures]] = defaultdict(list)
        self._other_weights = list_ablations() if ablation else {}

    def add(
        self,
        row: Row,
        ranking: Sequence[Passage],
        score_baseline: Callable[[Sequence[Passage]], Figures],
        score_ablation: Callable[[Sequence[Passage]], Figures],
    ) -> None:
        """Adds a question, and scores its ranking with other weights."""
        self._rows.append(row)
        for name, weights in BASELINES.items():
            self._baselines[name].append(score_baseline(rerank(ranking, weights)))
        for name, weights in self._other_weights.items():
            self._ablations[name].append(score_ablation(rerank(ranking, weights)))

    def result(
        self, settings: Settings, *, corpus: Source, questions: Source, split: str = "", notes: list[str]
    ) -> Result:
        """Everything in sums, with its origin."""
        whole = [row.figures for row in self._rows]
        return Result.model_validate(
            {
                **describe_origin(settings),
                "corpus": corpus,
                "questions": questions,
                "split": split,
                "notes": notes,
                "summary": summarise(self._rows),
                "baselines": {name: compare_figures(whole, other) for name, other in self._baselines.items()},
                "ablation": {name: compare_figures(whole, other) for name, other in self._ablations.items()},
                "rows": self._rows,
            }
        )


def _score_opening(question: Question, ranking: Sequence[Passage]) -> Figures:
    return score_answer(question, quote_opening(question.question, ranking), ranking).figures


def _describe_papers(papers: Sequence[Paper], name: str) -> Source:
    return Source(name=name, hash=hash_papers(paper.id for paper in papers), count=len(papers))


def _rank_deep(assistant: Assistant, question: Question, answer: Answer) -> list[Passage]:
    """The answer's own ranking and what follows it."""
    answering = assistant.answering
    if answering.settings.llm_configured:  # which is not asked a second time what is searched for
        query = Query(answer.standalone_question)
    else:
        turns = check_turns([turn.model_dump() for turn in question.history])
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
