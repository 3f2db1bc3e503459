"""A paper as it lies in Chroma: one record a chunk; the first also carries the paper and its small vectors."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.chunking import Span
from rag.corpus import made_label
from rag.corpus.details import Details, first_known
from rag.corpus.sources import Place
from rag.late import Bits, unpack_signs
from rag.types import Paper

Vectors = NDArray[np.float32]
Metadata = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """A paper with what retrieval needs of it.

    Attributes:
        vectors: Unit vectors of the chunks, then of the sentences: shape `(len(chunks) + len(sentences), d)`.
        packed_tokens: Signs of the vectors of the words that carry meaning; see `token_signs`.
    """

    paper: Paper
    places: tuple[Place, ...]
    chunks: tuple[Span, ...]
    sentences: tuple[Span, ...]
    vectors: Vectors
    packed_tokens: str

    @property
    def token_signs(self) -> Bits:
        """Shape `(tokens, d)`; unpacked at every call, for only the best candidates need it."""
        return unpack_signs(self.packed_tokens, self.vectors.shape[1])

    @property
    def chunk_vectors(self) -> Vectors:
        """Shape `(len(chunks), d)`."""
        return self.vectors[: len(self.chunks)]

    @property
    def sentence_vectors(self) -> Vectors:
        """Shape `(len(sentences), d)`."""
        return self.vectors[len(self.chunks) :]


def make_paper(paper_id: str, abstract: str, places: Sequence[Place]) -> Paper:
    """The paper that these places show; its title, year and so on are the first that any of them gives."""
    title = next((place.title for place in places if place.title), "")
    details = first_known(place.details for place in places)
    first, *others = ((place.name, place.line) for place in places)
    return Paper(
        id=paper_id,
        title=title,
        label=title or made_label(abstract),
        abstract=abstract,
        source=first[0],
        line=first[1],
        also_in=tuple(others),
        authors=details.authors,
        year=details.year,
        venue=details.venue,
        url=details.url,
        doi=details.doi,
    )


def chunk_id(paper_id: str, number: int) -> str:
    """The id of a chunk's record in Chroma; number 0 is the head."""
    return f"{paper_id}:{number}"


def head_metadata(record: Record) -> Metadata:
    """What the head carries besides its chunk: 1 byte a dimension and vector, and the paper as JSON."""
    return {
        "head": True,
        "paper": json.dumps(
            {
                "abstract": record.paper.abstract,
                "places": [[place.path, place.name, place.line, place.title] for place in record.places],
                "details": [place.details.as_row() for place in record.places],
                "chunks": record.chunks,
                "sentences": record.sentences,
            },
            ensure_ascii=False,
            separators=(",", ":"),
        ),
        "vectors": pack(record.vectors),
        "dimension": record.vectors.shape[1],
        "tokens": record.packed_tokens,
    }


def chunk_metadata(record: Record, number: int) -> Metadata:
    """What every chunk's record says about itself."""
    start, end = record.chunks[number]
    return {"paper_id": record.paper.id, "label": record.paper.label, "source": record.paper.source,
            "start": start, "end": end}  # fmt: skip


def read_record(paper_id: str, metadata: Metadata) -> Record:
    """The record that a head carries.

    Raises:
        KeyError, ValueError, TypeError: The metadata was not written by `head_metadata`.
    """
    stored = json.loads(metadata["paper"])
    if not isinstance(stored, dict):
        raise ValueError("its paper is no JSON object")
    details = map(Details.from_row, stored.get("details", [{}] * len(stored["places"])))  # which libraries once had not
    places = tuple(
        Place(path, name, int(line), title, said)
        for (path, name, line, title), said in zip(stored["places"], details, strict=True)
    )
    chunks = tuple((int(start), int(end)) for start, end in stored["chunks"])
    sentences = tuple((int(start), int(end)) for start, end in stored["sentences"])
    vectors = unpack(metadata["vectors"], int(metadata["dimension"]))
    if not chunks or len(vectors) != len(chunks) + len(sentences):
        raise ValueError(f"{len(vectors)} vectors for {len(chunks)} chunks and {len(sentences)} sentences")
    return Record(
        paper=make_paper(paper_id, stored["abstract"], places),
        places=places,
        chunks=chunks,
        sentences=sentences,
        vectors=vectors,
        packed_tokens=metadata["tokens"],
    )


def pack(vectors: Vectors) -> str:
    """Unit vectors as signed bytes, each scaled by its own largest part; the cosine error is below 0.005."""
    scale = np.maximum(np.abs(vectors).max(axis=1, keepdims=True, initial=0), 1e-9)
    return base64.b64encode(np.rint(vectors / scale * 127).astype(np.int8).tobytes()).decode("ascii")


def unpack(text: str, dimension: int) -> Vectors:
    """The unit vectors of a packed text: shape `(n, dimension)`."""
    packed = np.frombuffer(base64.b64decode(text, validate=True), dtype=np.int8)
    vectors = packed.reshape(-1, dimension).astype(np.float32)
    unit: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return unit
