"""Footnote: ask a library of paper abstracts and get answers whose every sentence can be checked."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag.answering.answer_json import answer_from_json, answer_to_json
    from rag.answering.stream import AnswerStream
    from rag.assistant import Assistant, answer, ingest, papers, passport, search, similar, stream, verify
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
    from rag.explore.comparison import Cell, Comparison, ComparisonRow, comparison_csv
    from rag.explore.overview import Overview, PaperMap, Topic
    from rag.langchain.chain import build_chain
    from rag.loopback import names_this_machine
    from rag.serve.listener import Listener
    from rag.settings import Settings, load_settings
    from rag.share.feedback import record_feedback
    from rag.share.passports.verification import VerifyCheck, VerifyReport
    from rag.share.references import bibtex, citation_keys, reference, ris
    from rag.text.prompt_injection import instructions
    from rag.text.words import visible
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
    "rag.answering.answer_json": {"answer_from_json", "answer_to_json"},
    "rag.answering.stream": {"AnswerStream"},
    "rag.assistant": {"Assistant", "answer", "ingest", "papers", "passport", "search", "similar", "stream", "verify"},
    "rag.langchain.chain": {"build_chain"},
    "rag.loopback": {"names_this_machine"},
    "rag.serve.listener": {"Listener"},
    "rag.share.feedback": {"record_feedback"},
    "rag.explore.comparison": {"Cell", "Comparison", "ComparisonRow", "comparison_csv"},
    "rag.text.prompt_injection": {"instructions"},
    "rag.explore.overview": {"Overview", "PaperMap", "Topic"},
    "rag.share.passports.verification": {"VerifyCheck", "VerifyReport"},
    "rag.share.references": {"bibtex", "citation_keys", "reference", "ris"},
    "rag.settings": {"Settings", "load_settings"},
    "rag.text.words": {"visible"},
}


def __getattr__(name: str) -> object:
    """Loads a public name where it is first used, so that `import rag` costs nothing."""
    if name not in __all__:
        raise AttributeError(f"module 'rag' has no attribute {name!r}")
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        home = "rag.errors" if name.endswith("Error") or name.startswith("Library") else "rag.types"
    return getattr(import_module(home), name)
