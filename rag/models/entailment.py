"""A cross-encoder for natural language inference, where the settings name one: does a text entail a sentence?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag.errors import EmbeddingError

if TYPE_CHECKING:
    from rag.checks.ledger import Entailment

_LABELS = ("entailment", "neutral", "contradiction")


def open_entailment(name: str) -> Entailment:
    """A sentence-transformers cross-encoder by name or folder, whose labels say which of the three each stands for.

    Raises:
        EmbeddingError: It cannot be loaded, or has no labels of these names.
    """
    from sentence_transformers import CrossEncoder

    try:
        model = CrossEncoder(name)
    except Exception as error:
        raise EmbeddingError(
            f"The entailment model {name!r} cannot be loaded ({type(error).__name__}: {str(error)[:200]}); correct"
            " RAG_NLI_MODEL, or unset it: the ledger works without one."
        ) from error
    labels = {int(place): _meant(str(label)) for place, label in model.config.id2label.items()}
    if not {"entailment", "contradiction"} <= set(labels.values()):
        told = ", ".join(map(str, model.config.id2label.values()))
        raise EmbeddingError(
            f"The entailment model {name!r} has the labels {told}; it needs entailment and contradiction among them."
            " Choose a cross-encoder for natural language inference as RAG_NLI_MODEL, or unset it."
        )

    def entailment(premise: str, sentence: str) -> str:
        scores = model.predict([(premise, sentence)], show_progress_bar=False)
        return labels[int(scores[0].argmax())]

    return entailment


def _meant(label: str) -> str:
    """`ENTAILMENT`, `entail`, `not_entailment` as one of the three."""
    folded = label.lower()
    if folded.startswith(("not", "non")):
        return "neutral"
    return next((meant for meant in _LABELS if meant.startswith(folded[:6])), "neutral")
