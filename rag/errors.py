"""Every error Footnote raises on purpose; each message says what, where, and what to do.

RagError
├── QuestionError         the question is empty or too long
├── Busy                  too many questions wait already
├── SettingsError         a setting is misspelt, malformed or out of range
├── CorpusError           a file or folder to ingest cannot be read at all
├── EmbeddingError        the embedding model is missing, altered, or cannot be loaded
├── ClusterError          a Ray cluster to embed on does not answer, or fails
├── LibraryError          the library on disk or on a Chroma server cannot be used
│   ├── LibraryMissing    nothing was ingested yet, and ingesting by itself is switched off
│   ├── LibraryMismatch   the library was made with another embedding model
│   ├── LibraryDamaged    the files are there, but do not open
│   └── LibraryUnreachable  the Chroma server does not answer
├── PromptError           a prompt file is missing or has an unknown placeholder
├── LLMError              the language model's server refused, failed or broke off
├── EvaluationError       a question file, a BEIR folder or a result file cannot be used
├── StoredAnswerError     a text is no answer as Footnote writes it
├── PassportError         a file is no evidence passport, or one cannot be written
├── FeedbackError         what was thought of an answer cannot be kept
└── ServeError            the chat or the API cannot be served (port taken, ...)
"""

from __future__ import annotations

from rag.types import Usage


def first_line(error: Exception) -> str:
    """The first line of a foreign error's message, or its kind where there is no message."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


class RagError(Exception):
    """Base of all errors raised on purpose; `str(error)` is fit for a user."""


class QuestionError(RagError):
    """The question is empty or too long."""


class Busy(RagError):
    """Too many questions wait already."""


class SettingsError(RagError):
    """A setting is misspelt, malformed or out of range."""


class CorpusError(RagError):
    """A file or folder to ingest cannot be read at all."""


class EmbeddingError(RagError):
    """The embedding model is missing, altered, or cannot be loaded."""


class ClusterError(RagError):
    """A Ray cluster to embed on does not answer, or fails."""


class LibraryError(RagError):
    """The library on disk or on a Chroma server cannot be used."""


class LibraryMissing(LibraryError):
    """Nothing was ingested yet, and ingesting by itself is switched off."""


class LibraryMismatch(LibraryError):
    """The library was made with another embedding model."""


class LibraryDamaged(LibraryError):
    """The library's files are there, but do not open."""


class LibraryUnreachable(LibraryError):
    """The Chroma server does not answer."""


class PromptError(RagError):
    """A prompt file is missing or has an unknown placeholder."""


class LLMError(RagError):
    """The language model's server refused, failed or broke off.

    Attributes:
        transient: True when asking again later may work.
        usage: What was spent all the same.
        is_overlong: True when the model reads less than it was sent.
        lasting: True when another request right now would be refused as well, or wait in vain for as long.
    """

    def __init__(
        self,
        message: str,
        *,
        transient: bool = False,
        usage: Usage | None = None,
        is_overlong: bool = False,
        lasting: bool = False,
    ) -> None:
        super().__init__(message)
        self.transient = transient
        self.usage = usage or Usage()
        self.is_overlong = is_overlong
        self.lasting = lasting


class EvaluationError(RagError):
    """A question file, a BEIR folder or a result file cannot be used."""


class StoredAnswerError(RagError):
    """A text is no answer as Footnote writes it."""


class PassportError(RagError):
    """A file is no evidence passport, or one cannot be written."""


class FeedbackError(RagError):
    """What was thought of an answer cannot be kept."""


class ServeError(RagError):
    """The chat or the API cannot be served."""
