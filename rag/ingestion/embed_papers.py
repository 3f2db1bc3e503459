"""Papers -> records: chunks and sentences with their vectors, ready to be written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rag.corpus.duplicates import Place, make_paper
from rag.library.records import Record
from rag.models.embedding import EmbeddingModel
from rag.models.encoders import Vectors
from rag.text.sentences import Span, cut_chunks, find_sentences
from rag.types import Paper

Fresh = tuple[str, str, tuple[Place, ...]]  # a paper to embed: id, abstract, places


@dataclass(frozen=True, slots=True)
class Embedded:
    """Records, the full vectors of all their chunks in order, and how many texts were embedded for them."""

    records: list[Record]
    chunk_vectors: Vectors
    texts: int


def embed_papers(
    model: EmbeddingModel, papers: Sequence[Fresh], check_stop: Callable[[], None] = lambda: None
) -> Embedded:
    """Chunks and embeds papers, all texts of all papers in one go.

    A chunk is embedded under its paper's title, a sentence alone: the first says what the paper is about, the second
    what it says. No text is longer than what the model reads.

    Args:
        check_stop: Called before every paper that is chunked; what it raises ends the work.
    """
    made = [make_paper(paper_id, abstract, places) for paper_id, abstract, places in papers]
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
    records = []
    first_chunk = first_sentence = 0
    for paper, (_, _, places), its_chunks, its_sentences in zip(made, papers, chunks, sentences, strict=True):
        of_chunks = slice(first_chunk, first_chunk := first_chunk + len(its_chunks))
        of_sentences = slice(first_sentence, first_sentence := first_sentence + len(its_sentences))
        vectors = np.concatenate([chunk_vectors[of_chunks], sentence_vectors[of_sentences]])
        its_signs = b"".join(signs[of_chunks])
        records.append(Record(paper, places, tuple(its_chunks), tuple(its_sentences), vectors, its_signs))
    return Embedded(records, chunk_vectors, len(chunk_texts) + len(sentence_texts))


def _heading(model: EmbeddingModel, paper: Paper) -> tuple[str, int]:
    """The title on a line of its own, and its tokens; none where a chunk would get less than half of what is read."""
    heading = f"{paper.title}\n" if paper.title else ""
    tokens = model.count_tokens(heading) if heading else 0
    return (heading, tokens) if tokens <= model.max_tokens // 2 else ("", 0)


def _readable(model: EmbeddingModel, sentence: str) -> str:
    """The sentence, or as much of its beginning as the model reads."""
    start, end = cut_chunks(sentence, model.count_tokens, model.max_tokens)[0]
    return sentence[start:end]
