"""Embedding models: the bundled one, offline, or any other by name or folder."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from rag.errors import EmbeddingError, first_line
from rag.models.encoders import Encoded, Encoder, SentenceTransformersEncoder, Vectors
from rag.models.late_interaction import TokenVectors, pack_signs, token_vectors
from rag.models.offline_hub import hide_loading_bar, is_on_hub
from rag.models.onnx_export import open_bundled
from rag.settings import BUNDLED_MODEL, Precision, Settings
from rag.telemetry import keep_quiet

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_Kept = TypeVar("_Kept")
_loading = threading.Lock()
_opened: dict[tuple[str, str], EmbeddingModel] = {}


class EmbeddingModel:
    """A model that makes vectors of texts; safe to use from several threads.

    Attributes:
        name: As the settings give it; kept with the library, which answers to no other model.
        dimension: Length of a vector.
        max_tokens: What the model reads of a text, without special tokens; it ignores the rest in silence.
    """

    def __init__(self, name: str, encoder: Encoder) -> None:
        self.name = name
        self.encoder = encoder
        self.dimension = encoder.dimension
        self.max_tokens = encoder.max_tokens
        self._threads = ThreadPoolExecutor(cores(), "footnote-embed") if encoder.is_parallel else None
        self._stop = threading.Event()

    def until(self, stop: threading.Event) -> EmbeddingModel:
        """The same model, which ends with `CancelledError`, within some texts, once `stop` is set."""
        other = copy.copy(self)
        other._stop = stop
        return other

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of the texts, in their order: shape `(len(texts), dimension)`, float32."""
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for batch, encoded in self._encoded(texts, tokens=False):
            vectors[batch] = encoded.vectors
        return vectors

    def embed_with_tokens(self, texts: Sequence[str]) -> tuple[Vectors, list[TokenVectors]]:
        """As `embed`, with the vectors of the tokens that carry meaning, from the same pass.

        There are none where the tokenizer does not say where its tokens stand, or tokens have another dimension.
        """
        return self._with_tokens(texts, [0] * len(texts), lambda tokens: tokens)

    def embed_with_signs(self, texts: Sequence[str], starts: Sequence[int]) -> tuple[Vectors, list[bytes]]:
        """As `embed_with_tokens`, but of the tokens the signs alone, see `pack_signs`: a 32nd of the memory.

        Args:
            starts: For every text the offset from which on its tokens are wanted.
        """
        return self._with_tokens(texts, starts, lambda tokens: pack_signs(tokens.vectors))

    def _with_tokens(
        self, texts: Sequence[str], starts: Sequence[int], kept: Callable[[TokenVectors], _Kept]
    ) -> tuple[Vectors, list[_Kept]]:
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        found: dict[int, _Kept] = {}
        for batch, encoded in self._encoded(texts, tokens=True):
            vectors[batch] = encoded.vectors
            for i, spans, per_token in zip(batch, encoded.offsets, encoded.tokens, strict=True):
                found[i] = kept(token_vectors(texts[i], spans, per_token, start=starts[i]))
        return vectors, [found[i] for i in range(len(texts))]

    def count_tokens(self, text: str) -> int:
        """Word pieces of a text, without special tokens; what `max_tokens` limits."""
        return self.encoder.count_tokens(text)

    def _encoded(self, texts: Sequence[str], *, tokens: bool) -> Iterator[tuple[list[int], Encoded]]:
        """Every batch, as the numbers of its texts, and what the model made of it."""
        batches = list(_by_length(texts, self.encoder.batch))

        def encode(batch: list[int]) -> Encoded:
            if self._stop.is_set():
                raise CancelledError
            encoded = self.encoder.encode([texts[i] for i in batch], tokens=tokens)
            if not np.isfinite(encoded.vectors).all():
                raise EmbeddingError(
                    f"{self.name}: the embedding model makes vectors that are no numbers: its files are damaged."
                    " Install or download it again, or choose another as RAG_EMBEDDING_MODEL; see `footnote doctor`."
                )
            return encoded

        side_by_side = self._threads is not None and len(batches) > 1  # a question stays in the thread that asks it
        encoded = self._threads.map(encode, batches) if self._threads and side_by_side else map(encode, batches)
        return zip(batches, encoded, strict=True)


def cores() -> int:
    """How many this process may use, or as many as it was told to."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdigit() and int(told):
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _by_length(texts: Sequence[str], size: int) -> Iterator[list[int]]:
    """Batches of so many of the texts' numbers, texts of like length together."""
    by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    for first in range(0, len(by_length), size):
        yield by_length[first : first + size]


def open_model(settings: Settings, precision: Precision = "float32") -> EmbeddingModel:
    """The model that the settings name, loaded once per process.

    The bundled one runs on ONNX Runtime, from a graph that is made once and kept.

    Args:
        precision: Numbers that the bundled model computes with; others have their own.

    Raises:
        EmbeddingError: The model is not there, cannot be loaded, or is not the bundled one it claims to be.
    """
    keep_quiet()
    key = settings.embedding_model, precision
    with _loading:
        if key not in _opened:
            _opened[key] = EmbeddingModel(settings.embedding_model, _encoder(settings, precision))
        return _opened[key]


def _encoder(settings: Settings, precision: Precision) -> Encoder:
    if settings.embedding_model == BUNDLED_MODEL:
        return open_bundled(settings.models_folder, precision)
    path = os.path.expanduser(settings.embedding_model)
    return SentenceTransformersEncoder(_load(path, local=os.path.isdir(path)))


def _load(path: str, *, local: bool) -> SentenceTransformer:
    try:
        from sentence_transformers import SentenceTransformer

        options: dict[str, Any] = {"local_files_only": True} if local or not is_on_hub(path) else {}
        with hide_loading_bar():
            return SentenceTransformer(path, trust_remote_code=False, **options)
    except Exception as error:  # the libraries below raise a dozen unrelated kinds
        raise EmbeddingError(
            f"{path}: this embedding model cannot be loaded ({first_line(error)}); correct RAG_EMBEDDING_MODEL,"
            " a name on the model hub or a folder with a sentence-transformers model."
        ) from error
