"""The events of an answer, which can be closed from any thread."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Generator, Iterable, Iterator
from threading import Lock

from rag.llm.deadline import Patience
from rag.types import Answer, AnswerEvent, Done


class AnswerStream(Iterator[AnswerEvent]):
    """The events of an answer as they happen, the last of them `Done`."""

    def __init__(self, events: Generator[AnswerEvent, None, None], patience: Patience) -> None:
        self._events, self._patience = events, patience
        self._reading = Lock()

    def __next__(self) -> AnswerEvent:
        with self._reading:
            if not self._patience.ended:
                try:
                    event = next(self._events)
                except CancelledError:
                    if not self._patience.ended:
                        raise
                else:
                    if not self._patience.ended:
                        return event
            self._events.close()
        raise StopIteration

    def close(self) -> None:
        """Ends the stream and hangs up on the language model, also while another thread waits for the next event."""
        self._patience.end()
        if self._reading.acquire(blocking=False):  # else that other thread cleans up
            try:
                self._events.close()
            finally:
                self._reading.release()


def drain(events: Iterable[AnswerEvent]) -> Answer:
    """The answer at the end of a stream of events."""
    for event in events:
        if isinstance(event, Done):
            return event.answer
    raise RuntimeError("a stream of events ended without Done")
