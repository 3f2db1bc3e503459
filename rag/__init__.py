"""Footnote: ask a library of paper abstracts and get answers whose every sentence can be checked."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag.answer_stream import AnswerStream
    from rag.assistant import Assistant, answer, ingest, papers, search, similar, stream
    from rag.chain import build_chain
    from rag.compare import Cell, Comparison, ComparisonRow, comparison_csv
    from rag.errors import (
        CorpusError,
        EmbeddingError,
        EvaluationError,
        LibraryDamaged,
        LibraryError,
        LibraryMismatch,
        LibraryMissing,
        LibraryUnreachable,
        LLMError,
        PromptError,
        QuestionError,
        RagError,
        ServeError,
        SettingsError,
    )
    from rag.injection import instructions
    from rag.listening import Listener
    from rag.settings import Settings, load_settings
    from rag.types import (
        Answer,
        AnswerEvent,
        Check,
        CheckKind,
        Chunk,
        Citation,
        Claim,
        Done,
        Filter,
        IngestReport,
        Notice,
        Outcome,
        Paper,
        Passage,
        Retrieved,
        Skipped,
        Token,
        Turn,
        Usage,
        Verdict,
    )
    from rag.words import visible

__all__ = [
    "Answer",
    "AnswerEvent",
    "AnswerStream",
    "Assistant",
    "Cell",
    "Check",
    "CheckKind",
    "Chunk",
    "Citation",
    "Claim",
    "Comparison",
    "ComparisonRow",
    "CorpusError",
    "Done",
    "EmbeddingError",
    "EvaluationError",
    "Filter",
    "IngestReport",
    "LLMError",
    "LibraryDamaged",
    "LibraryError",
    "LibraryMismatch",
    "LibraryMissing",
    "LibraryUnreachable",
    "Listener",
    "Notice",
    "Outcome",
    "Paper",
    "Passage",
    "PromptError",
    "QuestionError",
    "RagError",
    "Retrieved",
    "ServeError",
    "Settings",
    "SettingsError",
    "Skipped",
    "Token",
    "Turn",
    "Usage",
    "Verdict",
    "answer",
    "build_chain",
    "comparison_csv",
    "ingest",
    "instructions",
    "load_settings",
    "papers",
    "search",
    "similar",
    "stream",
    "visible",
]

_HOMES = {
    "rag.answer_stream": {"AnswerStream"},
    "rag.assistant": {"Assistant", "answer", "ingest", "papers", "search", "similar", "stream"},
    "rag.chain": {"build_chain"},
    "rag.compare": {"Cell", "Comparison", "ComparisonRow", "comparison_csv"},
    "rag.listening": {"Listener"},
    "rag.injection": {"instructions"},
    "rag.settings": {"Settings", "load_settings"},
    "rag.words": {"visible"},
}


def __getattr__(name: str) -> object:
    """Loads a public name where it is first used, so that `import rag` costs nothing."""
    if name not in __all__:
        raise AttributeError(f"module 'rag' has no attribute {name!r}")
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        home = "rag.errors" if name.endswith("Error") or name.startswith("Library") else "rag.types"
    return getattr(import_module(home), name)
