"""A sync that is killed at any point loses nothing it reported, and the next one completes it."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from rag import Assistant
from rag.corpus.clean import clean_text
from rag.corpus.sources import SEEDS, read_sources
from rag.ingestion.sync import _FEWEST, sync
from rag.library.library import Library
from rag.settings import Settings
from tests.command import SCRIPT
from tests.conftest import Python, wait_for
from tests.ingestion.test_sync import assert_whole, opened

_SYNC = """
import sys
from rag.settings import Settings
from rag.ingestion.sync import sync

def told(done, total):
    print(done, total)
    if done >= int(sys.argv[3]):
        sys.stdin.readline()  # waits for the kill right here

print("loaded")
print("end", sync(Settings(home=sys.argv[1], embedding_model=sys.argv[2]), progress=told).added)
"""
_NEVER = 10_000


@pytest.mark.slow
def test_a_killed_sync_keeps_all_it_reported_and_the_next_embeds_only_the_rest(
    tmp_path: Path, tiny_model: Path, python: Python
) -> None:
    """Three kills in a row, each in the sync that goes on where the last one was killed.

    After a report, twice, and in the middle of a batch. The tiny model divides each abstract into
    some twenty chunks, so that half a paper would show.
    """
    settings = Settings(_env_file=None, home=tmp_path / "home", embedding_model=str(tiny_model))  # type: ignore[call-arg]
    order = read_sources([SEEDS], {}).paper_ids()
    there: set[str] = set()
    for reports, amid_s in ((1, 0.0), (1, 0.0), (1, 0.1)):
        told = killed_after(python, settings, reports=reports, amid_s=amid_s)
        left = [paper_id for paper_id in order if paper_id not in there]
        now = {record.paper.id for record in opened(settings).reader.read_all_embedded()}
        assert there | set(left[:told]) <= now, "what was reported is there"
        assert now <= set(order)
        assert len(now) < 308, "it was killed before its end"
        assert opened(settings).stamp.syncing
        assert opened(settings).size == len(now), "and can be searched meanwhile"
        assert_whole(settings)
        there = now
    report = sync(settings)
    assert (report.added, report.unchanged, report.merged) == (308 - len(there), len(there), 20)
    assert report.total == 308
    assert not opened(settings).stamp.syncing
    assert_whole(settings)
    assert sync(settings).embedded == 0


@pytest.mark.slow
def test_a_question_completes_an_ingest_that_was_killed_and_says_so(
    tmp_path: Path, tiny_model: Path, python: Python
) -> None:
    settings = Settings(_env_file=None, home=tmp_path / "home", embedding_model=str(tiny_model))  # type: ignore[call-arg]
    killed_after(python, settings, reports=1, amid_s=0.0)
    assert Assistant.open(settings.model_copy(update={"auto_ingest": False})).answer("What is TimeArena?").notices == ()
    assistant = Assistant.open(settings)
    answer = assistant.answer("What is TimeArena?")
    assert answer.notices == ("An ingest was interrupted; it is completed first.",)
    assert len(assistant.papers()) == 308
    assert assistant.answer("What is TimeArena?").notices == ()


@pytest.mark.slow
def test_ctrl_c_ends_an_ingest_at_once_and_what_was_written_is_kept(settings: Settings) -> None:
    """At a moment when two batches, of some ten seconds, are being embedded."""
    environment = {**os.environ, "RAG_HOME": str(settings.home)}
    # A shell starts what it puts into the background deaf to it, and so all that is started from there.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen([SCRIPT, "ingest", SEEDS], env=environment, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)

    def has_written() -> object:
        assert process.poll() is None, process.communicate()
        return (library := Library.open(settings)) and library.size

    wait_for(has_written, within_s=300, what="the first batch")
    before_s, ended_s = cpu_seconds(process.pid), resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)  # by who is impatient
    _, err = process.communicate(timeout=30)  # it does not wait for anything either
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - ended_s - before_s < 3, "it did not go on"
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.endswith("Interrupted. What was ingested so far is kept; run this again to go on.\n")
    assert 0 < opened(settings).size < 308
    assert_whole(settings)


def test_ctrl_c_while_the_first_question_waits_gives_the_terminal_its_cursor_back(settings: Settings) -> None:
    environment = {**os.environ, "RAG_HOME": str(settings.home), "TERM": "xterm"}
    ours, its = os.openpty()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # as above
    process = subprocess.Popen(
        [SCRIPT, "ask", "What is TimeArena?"],
        env=environment,
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    signal.signal(signal.SIGINT, before)
    with process:
        os.close(its)
        shown = b""
        while b"\x1b[?25l" not in shown:
            shown += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        with suppress(OSError):  # the end of a terminal that nobody has open any more
            while more := os.read(ours, 4096):
                shown += more
    os.close(ours)
    assert shown.count(b"\x1b[?25l") == shown.count(b"\x1b[?25h") == 1
    assert process.returncode == 130


def cpu_seconds(pid: int) -> float:
    """What a process has spent for itself."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11]) / os.sysconf("SC_CLK_TCK")


def killed_after(python: Python, settings: Settings, *, reports: int, amid_s: float) -> int:
    """Kills a sync in another process after some reports and, if so, a while; returns the papers it reported."""
    wait_at = _NEVER if amid_s else _FEWEST * reports
    process = python(_SYNC, settings.home, settings.embedding_model, wait_at, stdin=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "loaded\n"
    told = 0
    for _ in range(reports):
        told = int(process.stdout.readline().split()[0])
    time.sleep(amid_s)
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL
    lines = [line for line in rest.splitlines() if line.count(" ") == 1 and line.split()[0].isdigit()]
    return max([told, *(int(line.split()[0]) for line in lines)])


@pytest.mark.slow
def test_a_sync_that_is_killed_while_it_removes_and_moves_is_completed_by_the_next(
    tmp_path: Path, tiny_model: Path, python: Python
) -> None:
    """By time, wherever that may be: opening, planning, writing places, removing, stamping."""
    from tests.conftest import SEEDS as FILES
    from tests.conftest import write_abstracts

    texts = sorted(line for path in FILES.iterdir() for line in path.read_text().splitlines() if len(line) > 600)[:60]
    path = write_abstracts(tmp_path / "x.txt", texts)
    settings = Settings(_env_file=None, home=tmp_path / "home", embedding_model=str(tiny_model))  # type: ignore[call-arg]
    total = sync(settings, [path]).total
    for number, after_s in enumerate((0.02, 0.08, 0.2), start=1):
        write_abstracts(path, [*["A new line that moves the others by one."] * number, *texts[number * 5 :]])
        process = python(_SYNC, settings.home, settings.embedding_model, _NEVER)
        assert process.stdout is not None
        assert process.stdout.readline() == "loaded\n"
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=300)
        assert opened(settings).size <= total + 1
    report = sync(settings)
    assert report.added + report.changed + report.unchanged + report.merged == 3 + len(texts[15:])
    assert_whole(settings)
    lines = [line.removeprefix("Abstract:") for line in path.read_text().splitlines()]
    for paper in opened(settings).reader.all_papers().values():
        assert clean_text(lines[paper.line - 1]) == paper.abstract
