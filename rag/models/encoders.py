"""What turns a batch of texts into vectors: the bundled model on ONNX Runtime, any other on sentence-transformers."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Vectors = NDArray[np.float32]
Offsets = list[tuple[int, int]]

_BATCH = 8  # texts sorted by length: a batch wastes little on padding, and 2 cores gain nothing from more
_ACCELERATOR_BATCH = 128  # tests/bench/results/accelerator.json
_FEW_TEXTS = 2  # a question, and what it refers to
_SPECIAL_TOKENS = 2  # [CLS] and [SEP], which the model's limit includes
_MOST_TOKENS = 8_192  # for models that name no limit, or infinity


@dataclass(frozen=True, slots=True)
class Encoded:
    """A batch of texts as the model gives them.

    Attributes:
        vectors: Unit vectors of the texts: shape `(len(texts), d)`.
        tokens: Of every text the vectors of its tokens, as the last layer made them: shape `(tokens, d)`; empty
            unless asked for.
        offsets: Of every text where each of these tokens stands in it; special tokens have empty spans. Empty where
            the tokenizer does not say.
    """

    vectors: Vectors
    tokens: list[Vectors]
    offsets: list[Offsets]


class Encoder(Protocol):
    """A loaded model; safe to use from several threads.

    Attributes:
        dimension: Length of a vector.
        max_tokens: What the model reads of a text, without special tokens; it ignores the rest in silence.
        is_parallel: Whether batches can be encoded side by side, a thread each.
        batch: Texts that are best encoded at once.
    """

    dimension: int
    max_tokens: int
    is_parallel: bool
    batch: int

    def encode(self, texts: list[str], *, tokens: bool) -> Encoded:
        """One batch; with the vectors of its tokens, which come from the same pass, where they are asked for."""

    def count_tokens(self, text: str) -> int:
        """Word pieces of a text, without special tokens; what `max_tokens` limits."""


class OnnxEncoder:
    """A graph with the inputs `input_ids` and `attention_mask` and the outputs `vectors` and `tokens`."""

    is_parallel = True
    batch = _BATCH

    def __init__(self, graph: Path, tokenizer_file: Path, *, max_length: int) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        # A thread a batch, and batches side by side, is faster than a batch in several threads (by hand), and askers
        # who come at once do not wait for one another.
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(tokenizer_file))
        self._tokenizer.no_truncation()  # and none is set later: one tokenizer counts and cuts, in any thread
        self._tokenizer.no_padding()
        first, _, last = self._tokenizer.encode("a").ids
        self._first, self._last = int(first), int(last)
        self.dimension = int(self._session.get_outputs()[1].shape[2])
        self.max_tokens = max_length - _SPECIAL_TOKENS

    def encode(self, texts: list[str], *, tokens: bool) -> Encoded:
        """As `Encoder.encode`."""
        read = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        pieces = [each.ids[: self.max_tokens] for each in read]
        ids = np.zeros((len(texts), max(map(len, pieces)) + _SPECIAL_TOKENS), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, of_text in enumerate(pieces):
            ids[row, : len(of_text) + _SPECIAL_TOKENS] = (self._first, *of_text, self._last)
            mask[row, : len(of_text) + _SPECIAL_TOKENS] = 1
        wanted = ["vectors", "tokens"] if tokens else ["vectors"]
        found = self._session.run(wanted, {"input_ids": ids, "attention_mask": mask})
        if not tokens:
            return Encoded(found[0], [], [])
        per_text = [of_text[1 : 1 + len(its)] for of_text, its in zip(found[1], pieces, strict=True)]
        return Encoded(found[0], per_text, [each.offsets[: self.max_tokens] for each in read])

    def count_tokens(self, text: str) -> int:
        """As `Encoder.count_tokens`."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)


class SentenceTransformersEncoder:
    """Any model of sentence-transformers, one batch at a time."""

    is_parallel = False

    def __init__(self, model: SentenceTransformer) -> None:
        self._model = model
        self._lock = threading.Lock()  # counting and encoding set the one tokenizer's truncation differently
        self.batch = _BATCH if model.device.type == "cpu" else _ACCELERATOR_BATCH
        self.dimension = int(model.get_embedding_dimension() or 0)
        self.max_tokens = int(min(model.max_seq_length or 512, _MOST_TOKENS)) - _SPECIAL_TOKENS

    def encode(self, texts: list[str], *, tokens: bool) -> Encoded:
        """As `Encoder.encode`."""
        if not tokens:
            return Encoded(self._encode(texts, convert_to_numpy=True), [], [])
        raw = self._encode(texts, output_value=None)
        vectors = np.stack([each["sentence_embedding"].cpu().numpy() for each in raw])
        # Asked for, but not done for raw output.
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        offsets = self._offsets(texts)
        per_text = [
            each["token_embeddings"].cpu().numpy()[: len(spans)] if spans else vectors[:0]
            for each, spans in zip(raw, offsets, strict=True)
        ]
        if per_text[0].shape[1] != self.dimension:  # a layer follows that only the text's own vector goes through
            return Encoded(vectors, [vectors[:0]] * len(texts), [[]] * len(texts))
        return Encoded(vectors, per_text, [spans[: len(its)] for spans, its in zip(offsets, per_text, strict=True)])

    def count_tokens(self, text: str) -> int:
        """As `Encoder.count_tokens`."""
        tokenizer = self._model.tokenizer
        with self._lock:
            if not callable(tokenizer):  # a bare one, as models without attention have
                return len(tokenizer.encode(text, add_special_tokens=False).ids)
            return len(tokenizer(text, add_special_tokens=False, truncation=False, verbose=False)["input_ids"])

    def _encode(self, texts: list[str], **output: Any) -> Any:
        """Few texts in one thread, which on a busy machine is five times as fast."""
        import torch

        with self._lock:
            threads = torch.get_num_threads()
            torch.set_num_threads(1 if len(texts) <= _FEW_TEXTS else threads)
            try:
                return self._model.encode(
                    texts, batch_size=len(texts), normalize_embeddings=True, show_progress_bar=False, **output
                )
            finally:
                torch.set_num_threads(threads)

    def _offsets(self, texts: list[str]) -> list[Offsets]:
        tokenizer = self._model.tokenizer
        if not getattr(tokenizer, "is_fast", False):
            return [[] for _ in texts]
        length = self.max_tokens + _SPECIAL_TOKENS
        with self._lock:
            read = tokenizer(texts, truncation=True, max_length=length, return_offsets_mapping=True)
        return list(read["offset_mapping"])
