"""The language model: any OpenAI-compatible server, streamed, and tried again where a fault may pass."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from functools import cached_property
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from rag.errors import LLMError, SettingsError
from rag.llm.cache import AnswerCache, Kept
from rag.llm.faults import Explainer, foreign_errors, is_overlong
from rag.llm.thinking import Thoughts, after_thoughts
from rag.loopback import is_this_machine
from rag.prices import add_price
from rag.settings import Settings, check_key_source, check_proxies
from rag.threads import run_in_thread
from rag.types import Usage

if TYPE_CHECKING:
    import ssl

    import httpx2
    import openai
    from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

Message = tuple[str, str]
Piece = str | Usage

_OPENAI_HOST = "api.openai.com"
_NO_KEY = "not-needed"  # the client insists on a key; servers without keys ignore it
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 8.0
_FAREWELL_S = 2.0  # how long the end of the stream may take once all is said
# No language comes near this: a server that sends more ignores the limit on tokens it was given.
_MOST_CHARS_PER_TOKEN = 16
_CHARS_PER_TOKEN = 4  # OpenAI's rule of thumb, for servers that do not count
# What goes out. Not what the environment would add (organization, project, OPENAI_CUSTOM_HEADERS), nor what
# describes this machine (x-stainless-*).
_HEADERS = frozenset(
    "accept accept-encoding authorization connection content-length content-type host user-agent".split()
)
log = logging.getLogger(__name__)


class ChatModel:
    """A chat model on a server; safe to use from several threads and event loops.

    Attributes:
        name: The model, as the server knows it.
        host: The server, as error messages name it: host and port, never a key.
    """

    def __init__(self, name: str, base_url: str, key: str, settings: Settings) -> None:
        parts = urlsplit(base_url)
        self.name = name
        self.host = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
        self._base_url, self._key, self._settings = base_url, key, settings
        self._explainer = Explainer(name, self.host, key)
        # OpenAI insists on the newer name; Ollama and others ignore that one, and then write without end.
        limits = ("max_completion_tokens", "max_tokens")
        self._limits = limits if parts.hostname == _OPENAI_HOST else limits[::-1]
        self._refused: frozenset[str] = frozenset()
        self._cache = AnswerCache.of(settings) if settings.llm_cache else None

    @classmethod
    def open(cls, settings: Settings) -> ChatModel:
        """The model that is configured; the server is not asked yet.

        Raises:
            LLMError: No model is chosen, there is neither key nor address, or the key or a proxy cannot be one.
        """
        if settings.llm_model is None:
            raise LLMError("No language model is chosen: set RAG_LLM_MODEL.")
        key = settings.openai_api_key.get_secret_value().strip() if settings.openai_api_key else ""
        if not key and settings.openai_base_url is None:
            raise LLMError(
                f"The model {settings.llm_model} needs a server: set OPENAI_API_KEY to use OpenAI's,"
                " or OPENAI_BASE_URL to use another."
            )
        if not (key.isascii() and key.isprintable()):
            raise LLMError("OPENAI_API_KEY has characters that no key has: copy it again.")
        try:
            check_key_source(settings)
            check_proxies()
        except SettingsError as error:
            raise LLMError(str(error)) from error
        return cls(settings.llm_model, str(settings.openai_base_url or f"https://{_OPENAI_HOST}/v1"), key, settings)

    def load(self) -> None:
        """Loads what the first request would otherwise load within an event loop, which stood still for 1.6 s."""
        _ = self._client(self._connection()).chat.completions  # openai imports its parts when they are first named

    @cached_property
    def _certificates(self) -> ssl.SSLContext:
        """Whom to trust; read once, for it takes longer than a request on this machine."""
        import httpx2

        return httpx2.create_ssl_context()

    async def stream(self, messages: Sequence[Message], deadline: float | None = None) -> AsyncGenerator[Piece, None]:
        """The answer in pieces as they arrive, and what each attempt took. Closing the generator hangs up.

        Passing faults are tried again, but only before the first piece. A request that was answered before is
        answered from the cache; an answer that has come to its end without a fault is kept there.

        Args:
            deadline: On the monotonic clock, where several calls for the same answer share one.

        Raises:
            LLMError: The server refused, failed or broke off; the pieces that had arrived stand, and what they
                took comes before the error.
        """
        request = self._request(messages)
        # In a thread: a disk may be slow, and others share the event loop.
        if self._cache and (kept := await run_in_thread(self._cache.get, request)):
            for text in kept.pieces:
                yield text
            yield kept.usage
            return
        pieces, usage = [], Usage()
        deadline = time.monotonic() + self._settings.llm_deadline_s if deadline is None else deadline
        async with aclosing(self._answer(messages, deadline)) as arriving:
            async for piece in arriving:
                if isinstance(piece, Usage):
                    spent = add_price(piece, self.name, self._settings.llm_prices)
                    usage += spent
                    yield spent
                else:
                    pieces.append(piece)
                    yield piece
        if self._cache:
            await run_in_thread(self._cache.put, request, Kept(pieces, usage))

    async def complete(self, messages: Sequence[Message], deadline: float | None = None) -> tuple[str, Usage]:
        """The whole answer and what it took.

        Raises:
            LLMError: As for `stream`; an incomplete answer counts as none. It carries what was spent.
        """
        text, usage = "", Usage()
        try:
            async with aclosing(self.stream(messages, deadline)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Usage):
                        usage += piece
                    else:
                        text += piece
        except LLMError as error:
            error.usage = usage
            raise
        return after_thoughts(text), usage

    def _request(self, messages: Sequence[Message]) -> dict[str, object]:
        """All that the answer depends on. Whose key pays for it is no part of that."""
        return {
            "server": self._base_url,
            "model": self.name,
            "messages": list(messages),
            "temperature": self._settings.llm_temperature,
            "max_tokens": self._settings.llm_max_tokens,
        }

    async def _answer(self, messages: Sequence[Message], deadline: float) -> AsyncGenerator[Piece, None]:
        """Attempts, until one answers or there is no use in another."""
        tries, answering = 0, False
        while True:
            try:
                async with aclosing(self._attempt(messages, deadline)) as pieces:
                    async for piece in pieces:
                        answering = answering or isinstance(piece, str)
                        yield piece
                return
            except foreign_errors() as error:
                if not answering and self._do_without(error):
                    continue
                fault = self._explainer.explain(error, answering=answering)
                pause_s = max(fault.wait_s, _back_off_s(tries))
                in_vain = tries >= self._settings.llm_retries or time.monotonic() + pause_s >= deadline
                if answering or in_vain or not fault.passing:
                    lasting = not fault.passing and not fault.overlong
                    raise LLMError(
                        fault.message, transient=fault.passing, is_overlong=fault.overlong, lasting=lasting
                    ) from error
                log.info("%s Trying again in %.1f s.", fault.message, pause_s)
            tries += 1
            await asyncio.sleep(pause_s)

    async def _attempt(self, messages: Sequence[Message], deadline: float) -> AsyncGenerator[Piece, None]:
        """One request and its answer, which must be complete, short enough, and say something."""
        room = self._settings.llm_max_tokens * _MOST_CHARS_PER_TOKEN
        text, finish, usage, thoughts = "", "", None, Thoughts()
        try:
            async with aclosing(self._chunks(messages, deadline)) as chunks:
                async for chunk in chunks:
                    finish = finish or _finish(chunk)
                    usage = _counted(chunk) or usage
                    piece = thoughts.without(_text(chunk))[: room - len(text)]
                    text += piece
                    if piece:
                        yield piece
                    if len(text) >= room or thoughts.length >= room:
                        raise self._endless(room)
            if rest := thoughts.rest():
                text += rest
                yield rest
            if unusable := self._unusable(text, finish):
                raise unusable
        except Exception:
            if finish or usage or text or thoughts.length:  # it was at work, which is paid for
                yield usage or _estimated(messages, len(text) + thoughts.length)
            raise
        yield usage or _estimated(messages, len(text) + thoughts.length)

    async def _chunks(self, messages: Sequence[Message], deadline: float) -> AsyncGenerator[ChatCompletionChunk, None]:
        """What the server sends, as long as it is neither silent nor slow for too long."""
        await run_in_thread(self.load)
        import openai

        finished = False
        async with self._connection() as connection, aclosing(self._stream(connection, messages)) as chunks:
            while True:
                patience_s = _FAREWELL_S if finished else self._settings.llm_timeout_s
                try:
                    async with asyncio.timeout(min(patience_s, deadline - time.monotonic())):
                        chunk = await anext(chunks, None)
                except (TimeoutError, openai.APIConnectionError) as error:
                    if finished:
                        return  # all is said; only the usage or the end of the stream is missing
                    if isinstance(error, TimeoutError):
                        raise self._too_slow(deadline) from error
                    raise
                if chunk is None:
                    return
                finished = finished or bool(_finish(chunk))
                yield chunk

    async def _stream(
        self, connection: httpx2.AsyncClient, messages: Sequence[Message]
    ) -> AsyncGenerator[ChatCompletionChunk, None]:
        import openai

        limit = self._limit_option()
        said = [{"role": role, "content": content} for role, content in messages]
        stream = await self._client(connection).chat.completions.create(
            model=self.name,
            messages=cast("list[ChatCompletionMessageParam]", said),
            stream=True,
            temperature=openai.omit if "temperature" in self._refused else self._settings.llm_temperature,
            stream_options=openai.omit if "stream_options" in self._refused else {"include_usage": True},
            extra_body={limit: self._settings.llm_max_tokens} if limit else None,
        )
        is_empty = True
        try:
            async for chunk in stream:
                is_empty = False
                yield chunk
        finally:
            await stream.close()
            # Its generators refer to one another: left as they stand they would wait for the garbage collector,
            # which may come in any thread, also in the midst of their ending. Without a response they end here.
            with suppress(Exception):
                async for _ in stream:
                    pass
        if is_empty:
            raise ValueError("it sent no piece of an answer")

    def _client(self, connection: httpx2.AsyncClient) -> openai.AsyncOpenAI:
        import openai

        # The time-outs and the retries are ours: the client's end where a stream begins, and know no deadline.
        return openai.AsyncOpenAI(
            api_key=self._key or _NO_KEY, base_url=self._base_url, http_client=connection, timeout=None, max_retries=0
        )

    def _connection(self) -> httpx2.AsyncClient:
        """A client for one answer: closing it hangs up. It follows no redirect, lest the prompt spread."""
        import openai

        async def only_ours(request: httpx2.Request) -> None:
            for name in [name for name in request.headers if name.lower() not in _HEADERS]:
                del request.headers[name]
            request.headers["authorization"] = f"Bearer {self._key or _NO_KEY}"

        # No proxy elsewhere can reach a server on this machine; time-outs are kept per token, in `_chunks`.
        use_proxies = not is_this_machine(urlsplit(self._base_url).hostname)
        hooks = {"request": [only_ours]}
        return openai.DefaultAsyncHttpxClient(
            follow_redirects=False, timeout=None, trust_env=use_proxies, event_hooks=hooks, verify=self._certificates
        )

    def _limit_option(self) -> str | None:
        return next((name for name in self._limits if name not in self._refused), None)

    def _do_without(self, error: Exception) -> bool:
        """Whether the server refused one of our options; from now on it is asked without it."""
        import openai

        if not isinstance(error, openai.APIStatusError) or error.status_code not in (400, 422):
            return False
        if is_overlong(error):  # which often names max_tokens as well
            return False
        for option in ("temperature", "stream_options", self._limit_option()):
            if option and option not in self._refused and (error.param == option or option in error.message):
                log.info("%s refuses the option %s; asking without it.", self.host, option)
                self._refused |= {option}
                return True
        return False

    def _unusable(self, text: str, finish: str) -> LLMError | None:
        """What is wrong with an answer that ended without an error, if anything is."""
        most = self._settings.llm_max_tokens
        if not finish:
            return LLMError(self._explainer.broken_off(answering=bool(text)).message, transient=True)
        if finish == "content_filter":
            return LLMError(f"{self.host} withheld the answer or its rest (content filter): ask in other words.")
        if finish == "length" and text.strip():
            return LLMError(f"The answer was cut at {most} tokens: raise RAG_LLM_MAX_TOKENS.")
        if not after_thoughts(text).strip():
            return LLMError(
                f"{self.name} on {self.host} gave an empty answer: if it is a model that thinks first, raise"
                f" RAG_LLM_MAX_TOKENS (now {most}) or turn its thinking off; otherwise choose another model."
            )
        return None

    def _endless(self, room: int) -> LLMError:
        return LLMError(
            f"{self.host} wrote {room:,} characters and would not stop, although it was asked for"
            f" {self._settings.llm_max_tokens} tokens; what came after them was left."
        )

    def _too_slow(self, deadline: float) -> LLMError:
        if time.monotonic() >= deadline:
            limit, name = self._settings.llm_deadline_s, "RAG_LLM_DEADLINE_S"
            what = f"did not finish within {limit:g} s"
        else:
            limit, name = self._settings.llm_timeout_s, "RAG_LLM_TIMEOUT_S"
            what = f"sent nothing for {limit:g} s"
        return LLMError(f"{self.name} on {self.host} {what}: ask again, or raise {name}.", transient=True, lasting=True)


def _back_off_s(tries: int) -> float:
    pause_s = min(_FIRST_PAUSE_S * 2.0**tries, _LONGEST_PAUSE_S)
    return pause_s * random.uniform(0.75, 1.25)  # noqa: S311  spreads clients out, guards nothing


def _finish(chunk: ChatCompletionChunk) -> str:
    """Why the answer ends with this chunk; empty where it does not."""
    return (chunk.choices[0].finish_reason or "") if chunk.choices else ""


def _text(chunk: ChatCompletionChunk) -> str:
    """What a chunk adds to the answer."""
    delta = chunk.choices[0].delta if chunk.choices else None
    content: object = delta.content if delta else None
    if isinstance(content, list):  # in blocks, some of them thoughts: so do some servers beyond OpenAI's own types
        return "".join(block["text"] for block in content if block["type"] == "text")
    if not isinstance(content, str | None):
        raise TypeError(f"a piece of text that is a {type(content).__name__}")
    return content or ""


def _counted(chunk: ChatCompletionChunk) -> Usage | None:
    """The server's own count, where this chunk has it."""
    counts = chunk.usage
    if not counts:
        return None
    prompt, completion, details = counts.prompt_tokens or 0, counts.completion_tokens or 0, counts.prompt_tokens_details
    cached = (details.cached_tokens or 0) if details else 0
    numbers = all(isinstance(count, int) for count in (prompt, completion, cached))
    return Usage(prompt, completion, cached) if numbers and prompt + completion else None


def _estimated(messages: Sequence[Message], written_chars: int) -> Usage:
    prompt_chars = sum(len(content) for _, content in messages)
    return Usage(prompt_chars // _CHARS_PER_TOKEN + 1, written_chars // _CHARS_PER_TOKEN + 1, estimated=True)
