"""A paper as it lies in Chroma: one record a chunk; the first also carries the paper and its small vectors."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.corpus.details import Details
from rag.corpus.duplicates import Place, make_paper
from rag.models.late_interaction import Bits, unpack_signs
from rag.text.sentences import Span
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
    packed_tokens: bytes

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


@dataclass(frozen=True, slots=True)
class Said:
    """A paper with its places and the offsets of its chunks and sentences: all of a record but the vectors."""

    paper: Paper
    places: tuple[Place, ...]
    chunks: tuple[Span, ...]
    sentences: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """A record as a head carries it.

    Attributes:
        text: What `said` was read from.
        revision: Number of the sync that wrote it; libraries once had none.
        vectors: As `pack` gives them: the chunks', then the sentences'.
        tokens: As `pack_signs` gives them.
    """

    said: Said
    text: str
    revision: int
    dimension: int
    vectors: bytes
    tokens: bytes


def chunk_id(paper_id: str, number: int) -> str:
    """The id of a chunk's record in Chroma; number 0 is the head."""
    return f"{paper_id}:{number}"


def head_of(key: str) -> str | None:
    """The id of the paper whose head has this id in Chroma; None for other chunks."""
    paper_id, _, number = key.rpartition(":")
    return paper_id if number == "0" else None


def head_metadata(record: Record, revision: int) -> Metadata:
    """What the head carries besides its chunk: 1 byte a dimension and vector, and the paper as JSON.

    Args:
        revision: Number of the sync that writes it.
    """
    return {
        "head": True,
        "revision": revision,
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
        "vectors": _as_text(pack(record.vectors)),
        "dimension": record.vectors.shape[1],
        "tokens": _as_text(record.packed_tokens),
    }


def chunk_metadata(record: Record, number: int) -> Metadata:
    """What every chunk's record says about itself."""
    start, end = record.chunks[number]
    return {"paper_id": record.paper.id, "label": record.paper.label, "source": record.paper.source,
            "start": start, "end": end}  # fmt: skip


def read_head(metadata: Metadata) -> Head:
    """What a head's metadata says; the vectors stay packed.

    Raises:
        KeyError, ValueError, TypeError: The metadata was not written by `head_metadata`.
    """
    said = read_said(str(metadata["paper_id"]), metadata["paper"])
    dimension = int(metadata["dimension"])
    vectors, tokens = _as_bytes(metadata["vectors"]), _as_bytes(metadata["tokens"])
    expected = len(said.chunks) + len(said.sentences)
    if dimension < 1 or len(vectors) != expected * dimension:
        raise ValueError(f"{len(vectors)} bytes of vectors for {expected} texts in {dimension} dimensions")
    return Head(said, metadata["paper"], int(metadata.get("revision", 0)), dimension, vectors, tokens)


def read_said(paper_id: str, text: str) -> Said:
    """What the JSON of a head says.

    Raises:
        KeyError, ValueError, TypeError: It was not written by `head_metadata`.
    """
    stored = json.loads(text)
    if not isinstance(stored, dict):
        raise ValueError("its paper is no JSON object")
    details = map(Details.from_row, stored.get("details", [{}] * len(stored["places"])))  # which libraries once had not
    places = tuple(
        Place(path, name, int(line), title, said)
        for (path, name, line, title), said in zip(stored["places"], details, strict=True)
    )
    chunks = tuple((int(start), int(end)) for start, end in stored["chunks"])
    sentences = tuple((int(start), int(end)) for start, end in stored["sentences"])
    if not chunks or not sentences:
        raise ValueError(f"it has {len(chunks)} chunks and {len(sentences)} sentences")
    return Said(make_paper(paper_id, stored["abstract"], places), places, chunks, sentences)


def pack(vectors: Vectors) -> bytes:
    """Unit vectors as signed bytes, each scaled by its own largest part; the cosine error is below 0.005."""
    scale = np.maximum(np.abs(vectors).max(axis=1, keepdims=True, initial=0), 1e-9)
    packed: bytes = np.rint(vectors / scale * 127).astype(np.int8).tobytes()
    return packed


def unpack(packed: bytes, dimension: int) -> Vectors:
    """The unit vectors: shape `(n, dimension)`."""
    vectors = np.frombuffer(packed, dtype=np.int8).reshape(-1, dimension).astype(np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return vectors


def _as_text(packed: bytes) -> str:
    """Chroma's metadata has no bytes."""
    return base64.b64encode(packed).decode("ascii")


def _as_bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
