"""The OpenAI chat protocol: what a request asks, and an answer as a completion, its Markdown and HTML escaped; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rag.errors import LibraryError, LLMError, QuestionError, RagError
from rag.types import Answer, Paper, Turn, Usage

MODEL = "footnote"
# What we cannot do and would be missed; everything else that we do not know is left unread, e.g. temperature.
_CANNOT = {
    "tools": "it calls no tools",
    "functions": "it calls no functions",
    "audio": "it does not speak",
    "logprobs": "it has no probabilities",
}
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
# What makes an image, a link, a link's address at another place, and a tag: each sign, before what makes it live.
# A client that renders them fetches an image, and its address can carry data away.
_LIVE = re.compile(r"!(?=\[)|\](?=[(:])|<(?=[a-z/!?])", re.IGNORECASE)
# A backslash behind, not before: before, one of the model's own would undo it; for that reason no `\<` either.
_ESCAPES = {"!": "!\\", "]": "]\\", "<": "&lt;"}


class RequestError(Exception):
    """A request that cannot be served.

    Attributes:
        status: The HTTP status.
        code: What went wrong, in one word of OpenAI's, if it has one.
        param: The field of the request that is at fault.
        retry: Whether asking again may help; the client is told.
    """

    def __init__(
        self, message: str, *, status: int = 400, code: str | None = None, param: str | None = None, retry: bool = False
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.param, self.retry = status, code, param, retry

    @property
    def body(self) -> dict[str, Any]:
        """The error as OpenAI writes it."""
        kind = "invalid_request_error" if self.status < 500 and self.status != 429 else "server_error"
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked.

    Attributes:
        with_usage: Whether a stream shall end with the usage.
    """

    question: str
    history: tuple[Turn, ...] = ()
    streamed: bool = False
    with_usage: bool = False


def read_request(body: bytes) -> Request:
    """The last message is the question, those before it the history; system messages do not replace our prompt.

    Raises:
        RequestError: It is malformed, or asks for what we cannot do.
    """
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError("The body is no JSON.") from error
    if not isinstance(fields, dict):
        raise RequestError("The body is no JSON object.")
    _check_options(fields)
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages:
        raise RequestError("messages must be a list with at least one message.", param="messages")
    turns = [turn for index, message in enumerate(messages) if (turn := _read_turn(index, message))]
    if not turns or turns[-1].role != "user":
        raise RequestError("The last message must be the user's: it is the question.", param="messages")
    options = fields.get("stream_options")
    with_usage = isinstance(options, dict) and options.get("include_usage") is True
    return Request(turns[-1].content, tuple(turns[:-1]), fields.get("stream") is True, with_usage)


def check_model(model: object) -> None:
    """Makes sure that the request is meant for us.

    Raises:
        RequestError: It names another model, or none.
    """
    if not isinstance(model, str):
        raise RequestError(f"model must be {MODEL!r}.", param="model")
    if model != MODEL:
        message = f"The model {model[:80]!r} does not exist; there is {MODEL!r}."
        raise RequestError(message, status=404, code="model_not_found", param="model")


def make_error(error: RagError) -> RequestError:
    """One of our errors as a client of HTTP is told."""
    if isinstance(error, QuestionError):
        return RequestError(str(error), param="messages")
    if isinstance(error, LLMError):
        status = 503 if error.transient else 502
        return RequestError(str(error), status=status, code="language_model_failed", retry=error.transient)
    if isinstance(error, LibraryError):
        return RequestError(str(error), status=503, code="library_unavailable")
    return RequestError(str(error), status=500)


def make_completion(head: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
    """The whole answer; `head` is what all objects of one response share."""
    message = {"role": "assistant", "content": escape_markdown(answer.text), "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(answer)}
    return {
        **head,
        "object": "chat.completion",
        "choices": [choice],
        "usage": _make_usage(answer.usage),
        "footnote": _make_evidence(answer),
    }


def make_chunk(head: Mapping[str, Any], delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
    """A piece of a streamed answer."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {**head, "object": "chat.completion.chunk", "choices": [choice]}


def make_last_chunk(head: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
    """The piece after the text, with all that is needed to check it."""
    return {**make_chunk(head, {}, _finish_reason(answer)), "footnote": _make_evidence(answer)}


def make_usage_chunk(head: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
    """The very last piece of a stream whose client asked for the usage."""
    return {**head, "object": "chat.completion.chunk", "choices": [], "usage": _make_usage(answer.usage)}


def escape_markdown(text: str) -> str:
    """The text with images, links and tags as they are written; markers such as [1] stay."""
    return _LIVE.sub(lambda sign: _ESCAPES[sign[0]], text)


class MarkdownEscaper:
    """Escapes the Markdown of a text that comes in pieces, also where a sign and what makes it live are split."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        """What can be shown after the next piece."""
        text = self._held + piece
        self._held = text[-1:] if text.endswith(tuple(_ESCAPES)) else ""
        return escape_markdown(text)[: -len(self._held) or None]

    def rest(self) -> str:
        """What was held back; at the end of a text a sign makes nothing live."""
        rest, self._held = self._held, ""
        return rest


def _finish_reason(answer: Answer) -> str:
    """OpenAI has one word only for a text that is not all that there was to say."""
    return "length" if answer.cut else "stop"


def _make_usage(took: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": took.prompt_tokens,
        "completion_tokens": took.completion_tokens,
        "total_tokens": took.total_tokens,
        "prompt_tokens_details": {"cached_tokens": took.cached_tokens},
    }


def _make_evidence(answer: Answer) -> dict[str, Any]:
    """What OpenAI has no field for: all that is needed to check the answer. Offsets of claims are into `text`."""
    return {
        "text": answer.text,
        "outcome": answer.outcome.value,
        "standalone_question": answer.standalone_question,
        "citations": [
            {
                "number": each.number,
                **_cite(each.paper),
                "quote": each.quote,
                "start": each.start,
                "end": each.end,
            }
            for each in answer.citations
        ],
        "claims": [asdict(claim) for claim in answer.claims],
        "missing": answer.missing,
        "unknown_terms": answer.unknown_terms,
        "removed_markers": answer.removed_markers,
        "passages": [
            {**_cite(each.paper), "score": each.score, "start": each.start, "end": each.end} for each in answer.passages
        ],
        "cut": answer.cut,
        "model": answer.model,
        "notices": answer.notices,
        "usage": asdict(answer.usage),
    }


def _cite(paper: Paper) -> dict[str, Any]:
    return {"paper_id": paper.id, "label": paper.label, "source": paper.source, "line": paper.line}


def _check_options(fields: Mapping[str, Any]) -> None:
    check_model(fields.get("model"))
    for name, why in _CANNOT.items():
        if fields.get(name):
            raise RequestError(f"{MODEL} cannot serve {name}: {why}.", code="unsupported_parameter", param=name)
    if fields.get("n") not in (None, 1):
        raise RequestError(f"{MODEL} gives one answer: n must be 1.", code="unsupported_value", param="n")
    form = fields.get("response_format")
    if form is not None and (not isinstance(form, dict) or form.get("type") != "text"):
        message = f"{MODEL} answers in plain text: response_format must be of type text."
        raise RequestError(message, code="unsupported_value", param="response_format")


def _read_turn(index: int, message: object) -> Turn | None:
    """A message of the user or the assistant; None for one that we do not read, or that says nothing."""
    if not isinstance(message, dict) or message.get("role") not in _ROLES:
        raise RequestError(
            f"messages[{index}] must have a role ({', '.join(_ROLES)}) and a content.", param=f"messages[{index}]"
        )
    role, content = message["role"], message.get("content")
    called_a_tool = content is None and role == "assistant"  # of another model's
    if role not in ("user", "assistant") or called_a_tool:
        return None
    return Turn(role, _read_text(index, content))


def _read_text(index: int, content: object) -> str:
    """A message's content, which is a text or a list of parts that must be texts."""
    if isinstance(content, str):
        return content
    param = f"messages[{index}].content"
    if not isinstance(content, list):
        raise RequestError(f"{param} must be a text, or a list of parts of type text.", param=param)
    texts = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind != "text" or not isinstance(part.get("text"), str):
            raise RequestError(f"{param} has a part that is no text: {MODEL} reads text only.", param=param)
        texts.append(part["text"])
    return "\n".join(texts)
