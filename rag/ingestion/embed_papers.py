"""Embeds papers: cuts them into chunks and sentences and makes the vectors, in this process."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import partial

import numpy as np

from rag.corpus.duplicates import FoundPaper
from rag.library.records import EmbeddedPaper
from rag.models.embedding import EmbeddingModel, open_model
from rag.settings import Settings
from rag.text.sentences import Span, cut_chunks, find_sentences
from rag.types import Paper

Progress = Callable[[int, int], None]  # papers done, papers to do
Embedder = Callable[[Settings, Iterable[Sequence[FoundPaper]]], Generator[list[EmbeddedPaper], None, None]]


def embed_papers(
    model: EmbeddingModel, papers: Sequence[FoundPaper], check_stop: Callable[[], None] = lambda: None
) -> list[EmbeddedPaper]:
    """Chunks and embeds papers, all texts of all papers in one go.

    A chunk is embedded under its paper's title, a sentence alone: the first says what the paper is about, the second
    what it says. No text is longer than what the model reads.

    Args:
        check_stop: Called before every paper that is chunked; what it raises ends the work.
    """
    made = [found.paper for found in papers]
    chunks: list[list[Span]] = []
    sentences: list[list[Span]] = []
    chunk_texts: list[str] = []
    sentence_texts: list[str] = []
    starts: list[int] = []
    for paper in made:
        check_stop()
        heading, its_tokens = _heading(model, paper)
        room = model.max_tokens - its_tokens
        chunks.append(cut_chunks(paper.abstract, model.count_tokens, room))
        sentences.append(find_sentences(paper.abstract))
        chunk_texts += [heading + paper.abstract[start:end] for start, end in chunks[-1]]
        starts += [0, *[len(heading)] * (len(chunks[-1]) - 1)]  # the title's words once, not with every chunk
        sentence_texts += [_readable(model, paper.abstract[start:end]) for start, end in sentences[-1]]
    chunk_vectors, signs = model.embed_with_signs(chunk_texts, starts)
    sentence_vectors = model.embed(sentence_texts)
    embedded = []
    first_chunk = first_sentence = 0
    for paper, found, its_chunks, its_sentences in zip(made, papers, chunks, sentences, strict=True):
        of_chunks = slice(first_chunk, first_chunk := first_chunk + len(its_chunks))
        of_sentences = slice(first_sentence, first_sentence := first_sentence + len(its_sentences))
        vectors = np.concatenate([chunk_vectors[of_chunks], sentence_vectors[of_sentences]])
        its_signs = b"".join(signs[of_chunks])
        embedded.append(EmbeddedPaper(paper, found.places, tuple(its_chunks), tuple(its_sentences), vectors, its_signs))
    return embedded


def embed_here(
    settings: Settings, batches: Iterable[Sequence[FoundPaper]], stop: threading.Event | None = None
) -> Generator[list[EmbeddedPaper], None, None]:
    """Embeds in this process; while one batch is computed, the next is already cut into chunks.

    Args:
        stop: Once set, what is begun ends with `CancelledError`. Set here, too, where the papers are not waited for.
    """
    stop = stop or threading.Event()
    check_stop = partial(raise_if_set, stop)
    model = open_model(settings, settings.embedding_precision).until(stop)
    with ThreadPoolExecutor(2, "footnote-batch") as threads:
        try:
            begun: deque[Future[list[EmbeddedPaper]]] = deque()
            for batch in batches:
                begun.append(threads.submit(embed_papers, model, batch, check_stop))
                if len(begun) == 2:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        except BaseException:
            stop.set()  # who interrupts an ingest does not wait for what is begun
            raise


def raise_if_set(stop: threading.Event | None) -> None:
    """Raises `CancelledError` where whoever may stop the work has done so."""
    if stop and stop.is_set():
        raise CancelledError


def _heading(model: EmbeddingModel, paper: Paper) -> tuple[str, int]:
    """The title as a line, and its tokens; "" and 0 where it would take more than half of what the model reads."""
    heading = f"{paper.title}\n" if paper.title else ""
    tokens = model.count_tokens(heading) if heading else 0
    return (heading, tokens) if tokens <= model.max_tokens // 2 else ("", 0)


def _readable(model: EmbeddingModel, sentence: str) -> str:
    """The sentence, or as much of its beginning as the model reads."""
    start, end = cut_chunks(sentence, model.count_tokens, model.max_tokens)[0]
    return sentence[start:end]
