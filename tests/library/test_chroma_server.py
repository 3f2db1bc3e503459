"""A Chroma server instead of a folder: the same flow, and a clear error when it does not answer."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from rag.corpus.duplicates import Place, make_paper
from rag.errors import LibraryDamaged, LibraryError, LibraryMismatch, LibraryUnreachable
from rag.ingestion import ingest_lock
from rag.ingestion.library_handle import LibraryHandle
from rag.ingestion.rebuild import reembed
from rag.ingestion.sync import sync
from rag.langchain.vectorstore import open_vectorstore
from rag.library.chroma import connect, disconnect
from rag.library.library import Library
from rag.library.library_writer import LibraryWriter
from rag.library.records import EmbeddedPaper
from rag.models.embedding import open_model
from rag.settings import BUNDLED_MODEL, Settings
from tests.conftest import Python, free_port, wait_for, write_abstracts
from tests.ingestion.test_sync import SHORT, assert_whole, counts, found_by_vector, found_by_words, opened, papers


class Server:
    """`chroma run` over a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        chroma = [sys.executable, "-c", "from chromadb.cli.cli import app; app()"]
        with (self.folder.parent / "chroma.log").open("wb") as log:
            self.process = subprocess.Popen(
                [*chroma, "run", "--path", self.folder, "--host", "127.0.0.1", "--port", str(self.port)],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder.parent,
            )
        wait_for(self._answers, what="chroma run")

    def _answers(self) -> bool:
        import httpx

        assert self.process.poll() is None, "chroma run ended"
        try:
            return httpx.get(f"{self.url}/api/v2/heartbeat", timeout=20).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(300)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "served").mkdir()
    server = Server(tmp_path / "served")
    yield server
    server.kill()


@pytest.fixture
def served(server: Server, tmp_path: Path, tiny_model: Path) -> Settings:
    return Settings(  # type: ignore[call-arg]
        _env_file=None, home=tmp_path / "home", chroma_url=server.url, embedding_model=str(tiny_model)
    )


@pytest.mark.slow
def test_the_whole_flow_runs_through_a_server_and_survives_its_restart(
    server: Server, served: Settings, tmp_path: Path
) -> None:
    bundled = served.model_copy(update={"embedding_model": BUNDLED_MODEL, "home": tmp_path / "home"})
    assert Library.open(bundled) is None
    path = write_abstracts(tmp_path / "x.txt", SHORT[:4])
    report = sync(bundled, [path])
    assert (counts(report), report.total) == ({"added": 4}, 4)
    assert sync(bundled, [path]).embedded == 0
    assert found_by_vector(bundled, "birds keeping warm").abstract == SHORT[0]
    assert found_by_words(bundled, "bolts of bridges")[0] == SHORT[3]
    assert not (bundled.home / "chroma").exists(), "nothing of it is kept here but what is derived"
    handle = LibraryHandle(bundled)
    assert handle.current() is not None

    other_home = bundled.model_copy(update={"home": tmp_path / "other home"})
    write_abstracts(path, [*SHORT[1:4], SHORT[4]])
    assert counts(sync(other_home, [path])) == {"added": 1, "unchanged": 3, "removed": 1}
    wait_for(lambda: (handle.current() or opened(bundled)).size == 4, what="the sync from another home")
    wait_for(lambda: SHORT[4] in papers(bundled), what="the paper from another home")
    assert found_by_vector(bundled, "methane from rice").abstract == SHORT[4]
    assert_whole(bundled)

    with pytest.raises(LibraryMismatch, match="footnote ingest --rebuild"):
        Library.open(served)
    server.kill()
    with pytest.raises(LibraryUnreachable):
        found_by_vector(bundled, "methane")
    server.start()
    assert sync(bundled).embedded == 0
    assert reembed(served).total == 4
    assert set(papers(served)) == set(SHORT[1:])
    assert_whole(served)


@pytest.mark.slow
def test_an_asker_with_a_home_of_its_own_sees_what_comes_changes_and_leaves_and_reads_no_more_than_that(
    server: Server, served: Settings, tmp_path: Path, abstracts: list[str]
) -> None:
    path = write_abstracts(tmp_path / "x.txt", abstracts[:20])
    sync(served, [path])
    asker = served.model_copy(update={"home": tmp_path / "asker"})
    handle = LibraryHandle(asker)

    def touched() -> tuple[str, int]:
        library = handle.current()
        assert library is not None
        assert library.disagreements() == {}
        return library.reader.read(lambda papers: (papers.state.made, papers.state.touched))

    made, before = touched()
    for texts, total, changes in (
        (abstracts[:22], 22, 2),  # two are added
        (["A line that stands first and moves the others.", *abstracts[:22]], 23, 23),  # all places change
        (["A line that stands first and moves the others.", *abstracts[:21]], 22, 0),  # the last one leaves
    ):
        write_abstracts(path, texts)
        assert sync(served, [path]).total == total
        wait_for(lambda total=total: (handle.current() or opened(asker)).size == total, what="the sync")
        assert touched()[0] == made, "the store is brought in step, not made again"
        library = opened(asker)
        assert len(library.reader.read(lambda papers, since=before: papers.changed_since(since))[0]) == changes
        lines = {paper.abstract: paper.line for paper in library.reader.all_papers().values()}
        assert [lines[text] for text in texts] == list(range(1, total + 1))
        before = touched()[1]


@pytest.mark.slow
def test_a_server_that_dies_in_the_middle_of_a_sync_is_an_error_and_nothing_reported_is_lost(
    server: Server, served: Settings, tmp_path: Path, abstracts: list[str]
) -> None:
    path = write_abstracts(tmp_path / "x.txt", abstracts)

    def die(done: int, total: int) -> None:
        assert (done, total) == (32, 40)
        server.kill()

    with pytest.raises(LibraryUnreachable) as caught:
        sync(served, [path], progress=die)
    for part in (server.url, "does not answer", "chroma run --path DIR --port N", "RAG_CHROMA_URL"):
        assert part in str(caught.value)
    server.start()
    assert opened(served).size == 32
    assert counts(sync(served, [path])) == {"added": 8, "unchanged": 32}
    assert_whole(served)


@pytest.mark.slow
def test_a_view_that_is_open_says_that_its_server_is_gone_and_goes_on_when_it_is_back(
    server: Server, served: Settings, tmp_path: Path
) -> None:
    sync(served, [write_abstracts(tmp_path / "x.txt", SHORT[:2])])
    library = opened(served)
    vector = open_model(served).embed(["x"])[0]
    server.kill()
    for use in (
        lambda: library.dense.find_nearest(vector, 2),
        library.newest_stamp,
        library.disagreements,
        lambda: open_vectorstore(served, open_model(served)),
        lambda: Library.open(served),
        lambda: sync(served),
    ):
        with pytest.raises(LibraryUnreachable, match="does not answer"):
            use()
    server.start()
    assert len(library.dense.find_nearest(vector, 2)) == 2


def test_where_no_server_is_the_error_names_the_address_at_once(settings: Settings) -> None:
    port = free_port()
    settings = settings.model_copy(update={"chroma_url": Settings(chroma_url=f"http://localhost:{port}").chroma_url})
    began = time.monotonic()
    for use in (lambda: Library.open(settings), lambda: sync(settings), lambda: LibraryHandle(settings).current()):
        with pytest.raises(LibraryUnreachable, match=f"http://localhost:{port}/ does not answer"):
            use()
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (404, "text/html", b"<h1>Not Found</h1>"),
        (200, "text/html", b"<h1>Welcome</h1>"),
        (200, "application/json", b"[]"),
        (401, "application/json", b'{"error": "unauthorized"}'),
        (500, "text/plain", b"oops"),
        (200, "application/json", b""),
    ],
)
def test_a_server_that_is_not_chroma_is_an_error_of_the_library(
    settings: Settings, status: int, content_type: str, body: bytes
) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{other.server_port}"
        settings = settings.model_copy(update={"chroma_url": Settings(chroma_url=url).chroma_url})
        try:
            with pytest.raises(LibraryError, match=url) as caught:
                Library.open(settings)
        finally:
            other.shutdown()
            thread.join()
    assert not isinstance(caught.value, LibraryDamaged)
    assert "RAG_CHROMA_URL" in str(caught.value)


def test_papers_of_many_chunks_are_written_in_parts_that_the_server_takes(
    served: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes 40 MB at once; 256 papers of 20 chunks and 2,000 tokens have more."""
    dice = np.random.default_rng(3)
    text = "It is known of old. " * 1_000
    spans = tuple((start, start + 1_000) for start in range(0, 20_000, 1_000))
    records = []
    for number in range(256):
        vectors = dice.normal(size=(40, 384)).astype(np.float32)
        place = Place("/x.txt", "x.txt", number + 1, "")
        paper = make_paper(f"{number:016x}", f"{number} {text}", (place,))
        records.append(EmbeddedPaper(paper, (place,), spans, spans, vectors, bytes(20 * 100 * 48)))
    library = Library.create(served.model_copy(update={"embedding_model": BUNDLED_MODEL}), 384)
    with monkeypatch.context() as patched, pytest.raises(LibraryError, match=r"refused: .*[Tt]oo large"):
        patched.setattr("rag.library.library_writer._MOST_BYTES", 1 << 40)
        LibraryWriter(library).write(records)
    LibraryWriter(library).write(records)
    LibraryWriter(library).restamp(syncing=False)
    assert library.size == 256
    assert library.disagreements() == {}


def test_a_name_that_cannot_be_resolved_is_an_error_of_the_library(settings: Settings) -> None:
    settings = settings.model_copy(update={"chroma_url": Settings(chroma_url="http://nowhere.invalid:1").chroma_url})
    with pytest.raises(LibraryUnreachable, match=r"nowhere\.invalid"):
        Library.open(settings)


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://chroma.invalid", ("chroma.invalid", 80)),
        ("https://chroma.invalid", ("chroma.invalid", 443)),
        ("http://chroma.invalid:80", ("chroma.invalid", 80)),
        ("http://chroma.invalid:8000/", ("chroma.invalid", 8000)),
    ],
)
def test_the_port_is_the_one_the_address_means(
    settings: Settings, network_attempts: list[str], monkeypatch: pytest.MonkeyPatch, url: str, asked: tuple[str, int]
) -> None:
    import socket

    seen: list[tuple[object, object]] = []

    def lookup(host: object, port: object, *_: object, **__: object) -> list[object]:
        seen.append((host, port))
        raise OSError("not now")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    settings = settings.model_copy(update={"chroma_url": Settings(chroma_url=url).chroma_url})
    with pytest.raises(LibraryUnreachable):
        Library.open(settings)
    assert set(seen) == {asked}
    assert network_attempts == []


_ASK = """
import sys
from rag import Assistant, Settings

assistant = Assistant.open(Settings(home=sys.argv[1], chroma_url=sys.argv[2], embedding_model=sys.argv[3]))
while True:
    print(len(assistant.papers()), len({passage.paper.id for passage in assistant.search("birds keeping warm")}))
    if not sys.stdin.readline():
        break
"""
_SYNC = """
import sys
from rag.errors import LibraryError
from rag.settings import Settings
from rag.ingestion.sync import sync

def told(done, total):
    print("told", done, total)
    if sys.argv[5] == "halt":
        sys.stdin.readline()

settings = Settings(home=sys.argv[1], chroma_url=sys.argv[2], embedding_model=sys.argv[3])
try:
    print("added", sync(settings, [sys.argv[4]], progress=told, wait_s=float(sys.argv[6])).added)
except LibraryError as error:
    print("refused", error)
"""


@pytest.mark.slow
def test_askers_of_another_home_see_what_is_ingested_while_they_ask(
    server: Server, served: Settings, tmp_path: Path, python: Python, abstracts: list[str]
) -> None:
    """Two processes that ask and two that ingest, each from a home of its own, as on four machines."""
    sync(served, [write_abstracts(tmp_path / "x.txt", SHORT[:3])])
    askers = [
        python(_ASK, tmp_path / f"asker {number}", server.url, served.embedding_model, stdin=True) for number in (1, 2)
    ]
    assert [_said(asker) for asker in askers] == ["3 3", "3 3"]
    files = [write_abstracts(tmp_path / f"{number}.txt", abstracts[number::2]) for number in (0, 1)]
    syncing = [
        python(_SYNC, tmp_path / f"home {number}", server.url, served.embedding_model, file, "run", 60)
        for number, file in enumerate(files)
    ]
    while any(process.poll() is None for process in syncing):
        for seen in map(_asked_again, askers):
            assert 3 <= seen <= 43
    for process, file in zip(syncing, files, strict=True):
        out, err = process.communicate()
        assert out.splitlines()[-1] == f"added {len(file.read_text().splitlines())}", err
    for asker in askers:
        wait_for(lambda asker=asker: _asked_again(asker) == 43, what="the papers of both")
        assert not (tmp_path / "asker 1" / "chroma").exists()
    assert_whole(served)


@pytest.mark.slow
def test_of_two_ingests_from_different_homes_the_second_is_refused_or_waits(
    server: Server, served: Settings, tmp_path: Path, python: Python, abstracts: list[str]
) -> None:
    path = write_abstracts(tmp_path / "x.txt", abstracts)
    first = python(_SYNC, tmp_path / "first", server.url, served.embedding_model, path, "halt", 2, stdin=True)
    assert _line(first) == "told 32 40"
    began = time.monotonic()
    with pytest.raises(LibraryError, match=r"Another ingest is at work .* from another machine or another RAG_HOME"):
        sync(served, [path])
    assert 2 <= time.monotonic() - began < 60
    assert opened(served).size == 32, "and nothing was written meanwhile"

    second = python(_SYNC, tmp_path / "second", server.url, served.embedding_model, path, "run", 60)
    time.sleep(3)
    assert second.poll() is None, "it waits"
    out, _ = first.communicate("go on\n\n\n", timeout=300)
    assert out.splitlines()[-1] == "added 40"
    out, err = second.communicate(timeout=300)
    assert out == "added 0\n", err
    assert_whole(served)
    assert _leases(served) == []


@pytest.fixture
def soon_stale(monkeypatch: pytest.MonkeyPatch) -> float:
    """Seconds without a sign of life after which this process takes a ingest_lock over: four beats, not the half minute."""
    assert ingest_lock._STALE_S == 30, "as docs/scaling.md says"
    monkeypatch.setattr(ingest_lock, "_STALE_S", 4 * ingest_lock._BEAT_S)
    return ingest_lock._STALE_S


@pytest.mark.slow
def test_the_lease_of_a_killed_ingest_is_taken_over_at_once_at_home_and_elsewhere_when_it_is_silent_for_long(
    served: Settings, tmp_path: Path, python: Python, abstracts: list[str], soon_stale: float
) -> None:
    path = write_abstracts(tmp_path / "x.txt", abstracts)
    _killed_in_the_middle(python, served, path)
    left = f"{served.collection}.lease.{'0' * 32}"  # by a kill while a lease was removed
    client = connect(served)
    client.create_collection(left)
    disconnect(client)
    began = time.monotonic()
    assert counts(sync(served, [path])) == {"added": 8, "unchanged": 32}
    assert time.monotonic() - began < soon_stale
    assert _leases(served) == []

    write_abstracts(path, [*abstracts, *SHORT])
    _killed_in_the_middle(python, served, path)
    elsewhere = served.model_copy(update={"home": tmp_path / "elsewhere"})
    began = time.monotonic()
    report = sync(elsewhere, [path])
    assert report.total == len({*abstracts, *SHORT})
    assert soon_stale <= time.monotonic() - began < 120
    assert_whole(served)
    assert _leases(served) == []


@pytest.mark.slow
def test_an_ingest_that_stood_still_while_another_took_over_ends_and_writes_nothing_more(
    served: Settings, tmp_path: Path, python: Python, abstracts: list[str], soon_stale: float
) -> None:
    """As a laptop that sleeps with its lid closed."""
    path = write_abstracts(tmp_path / "x.txt", abstracts)
    asleep = python(_SYNC, served.home, served.chroma_url, served.embedding_model, path, "halt", 2, stdin=True)
    assert _line(asleep) == "told 32 40"
    asleep.send_signal(signal.SIGSTOP)
    elsewhere = served.model_copy(update={"home": tmp_path / "elsewhere"})
    other = write_abstracts(tmp_path / "y.txt", SHORT)
    assert counts(sync(elsewhere, [other])) == {"added": 5}
    stamp = opened(elsewhere).stamp
    asleep.send_signal(signal.SIGCONT)
    out, _ = asleep.communicate("go on\n\n\n", timeout=300)
    assert out.splitlines()[-1].startswith("refused This ingest gave")
    assert opened(elsewhere).stamp == stamp
    assert_whole(elsewhere)


def _killed_in_the_middle(python: Python, settings: Settings, path: Path) -> None:
    arguments = settings.home, str(settings.chroma_url), settings.embedding_model, path, "halt", 2
    process = python(_SYNC, *arguments, stdin=True)
    assert _line(process).startswith("told ")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=300)
    assert len(_leases(settings)) == 1


def _leases(settings: Settings) -> list[str]:
    client = connect(settings)
    try:
        return [each.name for each in client.list_collections() if ".lease" in each.name]
    finally:
        disconnect(client)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _said(asker: subprocess.Popen[str]) -> str:
    line = _line(asker)
    assert line, asker.communicate()[1][-600:]
    return line


def _asked_again(asker: subprocess.Popen[str]) -> int:
    """Papers that it sees, every one of which it can find."""
    assert asker.stdin is not None
    asker.stdin.write("\n")
    asker.stdin.flush()
    return int(_said(asker).split()[0])
