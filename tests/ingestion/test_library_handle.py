"""The handle of a library: who waits for its filling can let it go, and what was written stays."""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError
from pathlib import Path

import pytest
from filelock import FileLock

from rag.ingestion.library_handle import LibraryHandle
from rag.settings import Settings


def test_a_filling_that_is_stopped_ends_at_once_and_the_next_completes_it(tmp_path: Path, tiny_model: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path / "home", embedding_model=str(tiny_model))  # type: ignore[call-arg]
    handle, stop = LibraryHandle(settings), threading.Event()
    assert handle.ready() is None
    assert handle.why_not_ready().startswith("The library is empty")
    stopped_at: list[float] = []

    def told(done: int, total: int) -> None:
        assert done < total
        stop.set()
        stopped_at.append(time.process_time())

    with pytest.raises(CancelledError):
        handle.filled(told, stop)
    assert time.process_time() - stopped_at[0] < 2
    there = handle.current()
    assert there is not None
    assert 0 < there.size < 308
    assert handle.why_not_ready() == "An ingest was interrupted; it is completed first."
    unused = threading.Event()
    assert handle.filled(lambda _done, _total: None, unused).size == 308
    assert not unused.is_set(), "it belongs to whoever gave it"
    assert handle.why_not_ready() == ""
    assert handle.ready() is handle.current()


def test_who_waits_for_an_ingest_of_another_process_or_thread_can_be_stopped(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path)  # type: ignore[call-arg]
    handle, stop = LibraryHandle(settings), threading.Event()
    ended: list[float] = []

    def wait() -> None:
        with pytest.raises(CancelledError):
            handle.filled(lambda _done, _total: None, stop)
        ended.append(time.process_time())

    with FileLock(tmp_path / "sync.lock"):
        threads = [threading.Thread(target=wait) for _ in range(2)]  # one at the lock, the other at the first
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        began = time.process_time()
        stop.set()
        for thread in threads:
            thread.join(timeout=10)
    assert len(ended) == 2
    assert max(ended) - began < 2
