"""Embedding on a real Ray cluster of two nodes: the same library, whatever dies on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from rag.ingestion.sync import sync
from rag.settings import Settings
from tests.command import footnote, inside
from tests.conftest import ROOT, SEEDS, Python, free_port, wait_for, write_abstracts
from tests.ingestion.test_sync import assert_whole, opened, records

pytest.importorskip("ray.data", reason="the extra `ray` is not installed")

_CLUSTER = """
import sys
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
cluster.add_node(num_cpus=1)
print(cluster.address)
sys.stdin.read()
cluster.shutdown()
"""
_INGEST = """
import sys
from rag import Assistant, Settings

def told(done, total):
    print(done, total)
    if done >= int(sys.argv[4]):
        sys.stdin.readline()

assistant = Assistant.open(Settings(home=sys.argv[1]))
print("added", assistant.ingest([sys.argv[3]], progress=told, ray=sys.argv[2]).added)
"""
_NEVER = 10_000


@dataclass(frozen=True, slots=True)
class RunningCluster:
    address: str
    pid: int

    def embedding(self) -> set[int]:
        """The processes that embed on it, when they are there."""
        return {pid for pid in _descendants(self.pid) if _name(pid).startswith("ray::MapWorker")}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[RunningCluster]:
    """Two nodes with a core each on this machine, with a home of their own that has the model's graph already."""
    folder = tmp_path_factory.mktemp("ray")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAG_HOME": str(folder / "home"), "RAG_MODELS": str(models), "HOME": str(folder),
                   "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled",
                   "RAY_worker_niceness": "0"}  # fmt: skip  # by default 15: beside other work they take five times as long
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", _CLUSTER], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=log, text=True, cwd=folder,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert address, (folder / "log").read_text()
            yield RunningCluster(address, process.pid)
        finally:
            started = _descendants(process.pid)
            try:
                process.communicate(timeout=300)
            finally:
                for pid in started:
                    if Path(f"/proc/{pid}").exists():
                        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Seventy papers of the seeds."""
    texts = {line for path in SEEDS.iterdir() for line in path.read_text(encoding="utf-8").splitlines()}
    return write_abstracts(tmp_path / "x.txt", sorted(line for line in texts if len(line) > 600)[:70])


@pytest.mark.slow
def test_a_driver_and_then_a_worker_are_killed_and_the_library_is_the_one_made_without_ray(
    cluster: RunningCluster, settings: Settings, tmp_path: Path, path: Path, python: Python
) -> None:
    """The driver once it has reported some papers; the next run embeds the rest, and loses a worker in the middle."""
    plain = settings.model_copy(update={"home": tmp_path / "plain"})
    total = sync(plain, [path]).total
    driver = python(_INGEST, settings.home, cluster.address, path, 1, stdin=True)
    assert driver.stdout is not None
    told = driver.stdout.readline().split()
    assert told[1:] == [str(total)], driver.stderr and driver.stderr.read()
    driver.send_signal(signal.SIGKILL)
    driver.communicate(timeout=300)
    there = opened(settings).size
    assert int(told[0]) <= there < total
    assert opened(settings).stamp.syncing
    wait_for(lambda: not cluster.embedding(), what="the workers of a dead driver end")

    driver = python(_INGEST, settings.home, cluster.address, path, _NEVER)
    wait_for(lambda: len(cluster.embedding()) == 2, what="both nodes embed")
    wait_for(lambda: any(map(_is_embedding, cluster.embedding())), what="one is in the middle of it")
    os.kill(next(filter(_is_embedding, cluster.embedding())), signal.SIGKILL)
    out, err = driver.communicate(timeout=300)
    assert driver.returncode == 0, err
    assert out.splitlines()[-1] == f"added {total - there}"
    assert_whole(settings)
    _assert_same(settings, plain)


@pytest.mark.slow
def test_a_library_is_rebuilt_on_it_and_the_terminal_shows_nothing_of_ray(
    cluster: RunningCluster, settings: Settings, tmp_path: Path, abstracts: list[str]
) -> None:
    sync(settings, [write_abstracts(tmp_path / "x.txt", abstracts[:5])])
    said = footnote("ingest", "--rebuild", "--ray", cluster.address, RAG_HOME=str(settings.home))
    assert said.code == 0, said.err
    assert said.out.startswith("5 papers in the library: 0 added, 5 changed")
    assert [line for line in said.err.splitlines() if not line.startswith("Ingesting ")] == []
    assert_whole(settings)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1:{}", "refused"),
        ("nonsense", "no host and port"),
        ("127.0.0.1:99999999", "out of range"),
    ],
)
def test_an_address_where_no_cluster_answers_is_an_error_at_once_and_starts_no_ingest(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, address: str, reason: str
) -> None:
    monkeypatch.setenv("RAG_HOME", str(settings.home))
    address = address.format(free_port())
    began = time.monotonic()
    said = inside("ingest", "--ray", address)
    assert (said.code, said.out) == (2, "")
    for part in (f"No Ray cluster answers at {address}", reason, "ray start --head"):
        assert part in said.err.replace("\n", " ")
    assert time.monotonic() - began < 20
    assert not (settings.home / "chroma").exists()


def test_an_address_of_rays_client_is_an_error_that_says_where_to_run_instead(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_HOME", str(settings.home))
    said = inside("ingest", "--ray", "ray://127.0.0.1:10001")
    assert (said.code, said.out) == (2, "")
    assert "use --ray auto on a machine of it" in said.err


def test_without_the_extra_the_error_says_what_to_install(settings: Settings, python: Python) -> None:
    code = "import sys; sys.modules['ray'] = None; from rag.commands.main import main; sys.argv[0] = 'footnote'; main()"
    process = python(code, "ingest", "--ray", "auto", env={"RAG_HOME": str(settings.home)})
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (2, "")
    assert "pip install 'footnote-rag[ray]'" in err
    assert "Traceback" not in err


def _assert_same(one: Settings, other: Settings) -> None:
    """The same papers, chunks and sentences, and vectors that differ by rounding alone."""
    here, there = records(one), records(other)
    assert here.keys() == there.keys()
    for abstract, record in here.items():
        twin = there[abstract]
        assert (record.paper, record.places) == (twin.paper, twin.places)
        assert (record.chunks, record.sentences) == (twin.chunks, twin.sentences)
        assert np.allclose(record.vectors, twin.vectors, atol=0.01)  # they are kept in 8 bits
    vectors = [_chunk_vectors(settings) for settings in (one, other)]
    assert vectors[0].keys() == vectors[1].keys()
    for key, vector in vectors[0].items():
        assert np.allclose(vector, vectors[1][key], atol=1e-5)


def _chunk_vectors(settings: Settings) -> dict[str, np.ndarray]:
    library = opened(settings)
    stored = library.collection.get(include=["embeddings"])
    return dict(zip(stored["ids"], stored["embeddings"], strict=True))


def _descendants(pid: int) -> set[int]:
    """The processes that this one started, and those that they started."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # gone by now
        parents.setdefault(parent, []).append(int(stat.parent.name))
    found, left = set(), [pid]
    while left:
        children = parents.get(left.pop(), [])
        found.update(children)
        left += children
    return found


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0")
    except OSError:
        return ""


def _is_embedding(pid: int) -> bool:
    """Whether a worker has the model and works on papers: Ray shows in the name of a process what it does."""
    return _name(pid).endswith(".submit")
