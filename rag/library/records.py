"""A paper as it lies in Chroma: one record a chunk; the first also carries the paper and its small vectors."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rag.corpus.details import Details
from rag.corpus.duplicates import Place, make_paper
from rag.text.sentences import Span
from rag.types import Paper

Vectors = NDArray[np.float32]
Metadata = dict[str, Any]


_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class StoredPaper:
    """A paper with its places and the offsets of its chunks and sentences."""

    paper: Paper
    places: tuple[Place, ...]
    chunks: tuple[Span, ...]
    sentences: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class EmbeddedPaper(StoredPaper):
    """A paper with what retrieval needs of it.

    Attributes:
        vectors: Unit vectors of the chunks, then of the sentences: shape `(len(chunks) + len(sentences), d)`.
            As the model gave them until they are written, then rounded, see `pack`.
        packed_tokens: Signs of the vectors of the words that carry meaning, as `pack_signs` gives them.
        revision: Number of the sync that wrote it, where it was read from Chroma.
    """

    vectors: Vectors
    packed_tokens: bytes
    revision: int = 0

    @property
    def chunk_vectors(self) -> Vectors:
        """Shape `(len(chunks), d)`."""
        return self.vectors[: len(self.chunks)]

    @property
    def sentence_vectors(self) -> Vectors:
        """Shape `(len(sentences), d)`."""
        return self.vectors[len(self.chunks) :]


def chunk_id(paper_id: str, number: int) -> str:
    """The id of a chunk's record in Chroma; number 0 is the head."""
    return f"{paper_id}:{number}"


def paper_id_of_head(key: str) -> str | None:
    """The id of the paper whose head has this id in Chroma; None for other chunks."""
    paper_id, _, number = key.rpartition(":")
    return paper_id if number == "0" else None


def head_metadata(record: EmbeddedPaper, revision: int) -> Metadata:
    """What the head carries besides its chunk: 1 byte a dimension and vector, and the paper as JSON.

    Args:
        revision: Number of the sync that writes it.
    """
    return {
        "head": True,
        "revision": revision,
        "paper": paper_json(record),
        "vectors": _as_text(pack(record.vectors)),
        "dimension": record.vectors.shape[1],
        "tokens": _as_text(record.packed_tokens),
    }


def paper_json(stored: StoredPaper) -> str:
    """The JSON that `read_stored` reads."""
    content = {
        "abstract": stored.paper.abstract,
        "places": [[place.path, place.name, place.line, place.title] for place in stored.places],
        "details": [place.details.as_row() for place in stored.places],
        "chunks": stored.chunks,
        "sentences": stored.sentences,
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def chunk_metadata(record: EmbeddedPaper, number: int) -> Metadata:
    """What every chunk's record says about itself."""
    start, end = record.chunks[number]
    return {"paper_id": record.paper.id, "label": record.paper.label, "source": record.paper.source,
            "start": start, "end": end}  # fmt: skip


def read_head(metadata: Metadata) -> EmbeddedPaper:
    """The paper that a head's metadata holds.

    Raises:
        KeyError, ValueError, TypeError: The metadata was not written by `head_metadata`.
    """
    stored = read_stored(str(metadata["paper_id"]), metadata["paper"])
    dimension = int(metadata["dimension"])
    vectors, tokens = _as_bytes(metadata["vectors"]), _as_bytes(metadata["tokens"])
    expected = len(stored.chunks) + len(stored.sentences)
    if dimension < 1 or len(vectors) != expected * dimension:
        raise ValueError(f"{len(vectors)} bytes of vectors for {expected} texts in {dimension} dimensions")
    revision = int(metadata.get("revision", 0))  # none in schema 1
    return EmbeddedPaper(
        stored.paper, stored.places, stored.chunks, stored.sentences, unpack(vectors, dimension), tokens, revision
    )


def read_stored(paper_id: str, text: str) -> StoredPaper:
    """What the JSON of a head says.

    Raises:
        KeyError, ValueError, TypeError: It was not written by `head_metadata`.
    """
    stored = json.loads(text)
    if not isinstance(stored, dict):
        raise ValueError("its paper is no JSON object")
    details = map(Details.from_row, stored.get("details", [{}] * len(stored["places"])))  # none in schema 1
    places = tuple(
        Place(path, name, int(line), title, said)
        for (path, name, line, title), said in zip(stored["places"], details, strict=True)
    )
    chunks = tuple((int(start), int(end)) for start, end in stored["chunks"])
    sentences = tuple((int(start), int(end)) for start, end in stored["sentences"])
    if not chunks or not sentences:
        raise ValueError(f"it has {len(chunks)} chunks and {len(sentences)} sentences")
    return StoredPaper(make_paper(paper_id, stored["abstract"], places), places, chunks, sentences)


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


def pages(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """The items in order, so many at a time; the last page may be shorter."""
    rest = iter(items)
    while page := list(islice(rest, size)):
        yield page


def pages_within(items: Iterable[_Item], *limits: tuple[Callable[[_Item], int], int]) -> Iterator[list[_Item]]:
    """The items in order, as many at a time as keep every sum within its limit; one that alone is over it is a page.

    Args:
        limits: What an item counts, and the most that a page may have of it.
    """
    page: list[_Item] = []
    sums = [0] * len(limits)
    for item in items:
        counts = [count(item) for count, _ in limits]
        after = [there + more for there, more in zip(sums, counts, strict=True)]
        if page and any(there > most for there, (_, most) in zip(after, limits, strict=True)):
            yield page
            page, after = [], counts
        page.append(item)
        sums = after
    if page:
        yield page
