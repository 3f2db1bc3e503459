"""The faults of a language model and its server, told in plain words that hold no key."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import openai

# What a status means, where there is more to say than that the server failed or refused.
_MEANINGS = {
    401: "does not accept the key: check OPENAI_API_KEY",
    403: "does not let this key use {model}: choose another key or model",
    404: "does not know the model {model}: check RAG_LLM_MODEL, and that OPENAI_BASE_URL is right",
    429: "has too many requests: ask again {when}",
}
_STATUS, _SECONDS = re.compile(r"[3-5]\d\d"), re.compile(r"\d+(\.\d+)?")
_OVERLONG = re.compile(r"context.{0,20}(length|window|size)|(prompt|input) is too long|too many tokens", re.IGNORECASE)
_MOST_WORDS_CHARS = 200  # of what a server said
_LONGEST_WAIT_S = 86_400.0  # a day; what is asked for beyond may be a number without end


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault in words; `passing` means that another try may work, after `wait_s` if the server said so."""

    message: str
    passing: bool = False
    wait_s: float = 0.0
    overlong: bool = False


@dataclass(frozen=True, slots=True)
class Explainer:
    """Explains the faults of one model on one server; no key ever gets into its words."""

    model: str
    host: str
    key: str

    def explain(self, error: Exception, *, answering: bool) -> Fault:
        """What an exception of the client or of its parsing means for the one who asked.

        Args:
            error: One of `foreign_errors()`.
            answering: Whether a piece of the answer had come before.
        """
        import httpx2
        import openai

        if isinstance(error, openai.APIConnectionError):
            causes = list(_causes(error))
            if not any(isinstance(cause, (httpx2.ConnectError, httpx2.ProxyError)) for cause in causes):
                return self.broken_off(answering=answering)
            reason = self._redacted(str(causes[-1]))
            advice = "is it running, and is OPENAI_BASE_URL right?"
            return Fault(f"No connection to {self.host} ({reason}): {advice}", passing=True)
        if isinstance(error, openai.APIError):
            words = self._redacted(_own_words(error))
            if is_overlong(error):
                return Fault(
                    f"The question and its passages are too long for {self.model} on {self.host}:"
                    " lower RAG_LLM_CONTEXT_TOKENS to what it reads, or choose a model that reads more."
                    f" It said: {words}",
                    overlong=True,
                )
            return self._explain_status(_status(error), words, error)
        if isinstance(error, OSError):
            return Fault(f"{self.host} could not be asked ({self._redacted(str(error))}).", passing=True)
        return Fault(
            f"{self.host} answered, but not as a chat server does ({self._redacted(str(error))}):"
            " check OPENAI_BASE_URL, which mostly ends in /v1."
        )

    def broken_off(self, *, answering: bool) -> Fault:
        """The stream ended before the answer did."""
        when = "in the middle of the answer" if answering else "before it said anything"
        return Fault(f"{self.host} broke off {when}: ask again.", passing=True)

    def _explain_status(self, status: int | None, words: str, error: openai.APIError) -> Fault:
        if status is None:
            return Fault(f"{self.host} reported an error, ask again later. It said: {words}", passing=True)
        said = f"({status}). It said: {words}"
        if status == 401:  # its own words are left out, for they may repeat the key
            meaning = _MEANINGS[401] if self.key else "wants a key: set OPENAI_API_KEY"
            return Fault(f"{self.host} {meaning} (401).")
        if "insufficient_quota" in (error.code, error.type):
            return Fault(f"The account at {self.host} has no credit left {said}")
        if status < 400:
            return Fault(f"{self.host} sends us elsewhere: set OPENAI_BASE_URL to its new address {said}")
        wait_s = _retry_after_s(error)
        passing = status >= 500 or status in (408, 409, 429)
        meaning = _MEANINGS.get(status) or ("failed: ask again {when}" if passing else "refused the request")
        filled = meaning.format(model=self.model, when=f"in {math.ceil(wait_s)} s" if wait_s else "later")
        return Fault(f"{self.host} {filled} {said}", passing, wait_s)

    def _redacted(self, words: str) -> str:
        words = " ".join(words.split()) or "no reason given"
        return (words.replace(self.key, "***") if self.key else words)[:_MOST_WORDS_CHARS]


def foreign_errors() -> tuple[type[Exception], ...]:
    """The client's own errors, and what its parsing raises where a server strays from the protocol."""
    import openai

    return (openai.OpenAIError, OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError)


def is_overlong(error: openai.APIError) -> bool:
    """Whether the server says that the prompt is more than the model reads."""
    status = _status(error)
    if status == 413:
        return True
    # Others' words may be the same: a limit on tokens a minute is "too many tokens" as well (429).
    return status in (400, 422, None) and bool(_OVERLONG.search(error.message))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what caused it; the last one says most: `Connection refused`, not `Connection error`."""
    while error:
        yield error
        error = error.__cause__ or error.__context__


def _own_words(error: openai.APIError) -> str:
    """What the server said, without what the client wrote around it."""
    said = error.body.get("message") if isinstance(error.body, dict) else None
    return said if isinstance(said, str) and said.strip() else error.message


def _status(error: openai.APIError) -> int | None:
    """The HTTP status, also of an error that is reported inside a stream."""
    status = str(getattr(error, "status_code", error.code))
    return int(status) if _STATUS.fullmatch(status) else None


def _retry_after_s(error: openai.APIError) -> float:
    """How long the server asks us to wait: it says so in seconds, or as a date."""
    response = getattr(error, "response", None)
    asked = str(response.headers.get("retry-after", "")) if response is not None else ""
    wait_s = 0.0
    if _SECONDS.fullmatch(asked.strip()):
        wait_s = float(asked)
    with suppress(ValueError):
        wait_s = wait_s or max(0.0, float(parsedate_to_datetime(asked).timestamp()) - time.time())
    return min(wait_s, _LONGEST_WAIT_S)
