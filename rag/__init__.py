"""Footnote: ask a library of paper abstracts and get answers whose every sentence can be checked."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag.answer_json import answer_from_json, answer_to_json
    from rag.answer_stream import AnswerStream
    from rag.assistant import Assistant, answer, ingest, papers, passport, search, similar, stream, verify
    from rag.chain import build_chain
    from rag.compare import Cell, Comparison, ComparisonRow, comparison_csv
    from rag.errors import (
        CorpusError,
        EmbeddingError,
        EvaluationError,
        FeedbackError,
        LibraryDamaged,
        LibraryError,
        LibraryMismatch,
        LibraryMissing,
        LibraryUnreachable,
        LLMError,
        PassportError,
        PromptError,
        QuestionError,
        RagError,
        ServeError,
        SettingsError,
        StoredAnswerError,
    )
    from rag.feedback import record_feedback
    from rag.injection import instructions
    from rag.listening import Listener, names_this_machine
    from rag.overview import Overview, PaperMap, Topic
    from rag.passports.verification import VerifyCheck, VerifyReport
    from rag.references import bibtex, citation_keys, reference, ris
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
    "ClusterError",
    "Comparison",
    "ComparisonRow",
    "CorpusError",
    "Done",
    "EmbeddingError",
    "EvaluationError",
    "FeedbackError",
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
    "Overview",
    "Paper",
    "PaperMap",
    "Passage",
    "PassportError",
    "PromptError",
    "QuestionError",
    "RagError",
    "Retrieved",
    "ServeError",
    "Settings",
    "SettingsError",
    "Skipped",
    "StoredAnswerError",
    "Token",
    "Topic",
    "Turn",
    "Usage",
    "Verdict",
    "VerifyCheck",
    "VerifyReport",
    "answer",
    "answer_from_json",
    "answer_to_json",
    "bibtex",
    "build_chain",
    "citation_keys",
    "comparison_csv",
    "ingest",
    "instructions",
    "load_settings",
    "names_this_machine",
    "papers",
    "passport",
    "record_feedback",
    "reference",
    "ris",
    "search",
    "similar",
    "stream",
    "verify",
    "visible",
]

_HOMES = {
    "rag.answer_json": {"answer_from_json", "answer_to_json"},
    "rag.answer_stream": {"AnswerStream"},
    "rag.assistant": {"Assistant", "answer", "ingest", "papers", "passport", "search", "similar", "stream", "verify"},
    "rag.chain": {"build_chain"},
    "rag.listening": {"Listener", "names_this_machine"},
    "rag.feedback": {"record_feedback"},
    "rag.compare": {"Cell", "Comparison", "ComparisonRow", "comparison_csv"},
    "rag.injection": {"instructions"},
    "rag.overview": {"Overview", "PaperMap", "Topic"},
    "rag.passports.verification": {"VerifyCheck", "VerifyReport"},
    "rag.references": {"bibtex", "citation_keys", "reference", "ris"},
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
