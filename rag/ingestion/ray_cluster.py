"""Embedding on a Ray cluster: every worker has the model, and what it makes comes back as plain columns."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from rag.corpus.duplicates import FoundPaper, Place
from rag.errors import ClusterError
from rag.ingestion.embed_papers import Embedder, embed_papers
from rag.library.records import EmbeddedPaper, pages
from rag.models.embedding import open_model
from rag.settings import Precision, Settings, load_settings
from rag.telemetry import keep_quiet

if TYPE_CHECKING:
    import pyarrow

_PAPERS_A_TASK = 16  # some 150 texts, two seconds of a core: what the death of a worker costs
_BATCHES_A_WAVE = 40  # of at most 256 papers: what is in memory here, and embedded by the same set of workers
_ANSWERS_WITHIN_S = 5.0
_SURROUNDINGS = {
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # it writes to the terminal past Python's logging
    "RAY_py_gcs_connect_timeout_s": "5",  # 30, and it asks several times
}


@contextmanager
def ray_cluster(address: str) -> Iterator[Embedder]:
    """Connects to a cluster for as long as the block lasts; gives what embeds there.

    Args:
        address: `auto` or `host:port` on a machine of the cluster, or `local` for one on this machine that ends with
            the block.

    Raises:
        ClusterError: Ray is not installed, or no cluster answers at the address.
    """
    keep_quiet()
    os.environ.update(_SURROUNDINGS)
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ClusterError("Ray is not installed; run `pip install 'footnote-rag[ray]'`, then this again.") from error
    loggers = [logging.getLogger(name) for name in ("ray", "ray.data")]
    levels = [each.level for each in loggers]
    _connect(address)
    try:
        for each in loggers:
            each.setLevel(logging.CRITICAL)  # what ends an ingest is said by the error, what does not by nobody
        yield _embedded
    except ray.exceptions.RayError as error:
        raise ClusterError(
            f"The Ray cluster at {address} failed ({_reason(error)}). What is in the library stays there; run this"
            " again."
        ) from error
    finally:
        ray.shutdown()
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)


def _connect(address: str) -> None:
    import ray

    if ray.is_initialized():
        raise ClusterError("This process is connected to a Ray cluster already; call `ray.shutdown()` first.")
    if address.startswith("ray://"):  # AttributeError: 'Worker' object has no attribute 'core_worker' (Ray 2.60)
        raise ClusterError(
            f"{address}: Ray Data does not run from outside a cluster; use --ray auto on a machine of it."
        )
    remedy = (
        "start one (`ray start --head`), or correct the address: auto, host:port or local (a cluster with a token"
        " wants RAY_AUTH_MODE=token and the token here, too)"
    )
    try:
        _look_for(address)
        # A dashboard is of clusters that somebody else started, who said whether they want one.
        options: dict[str, Any] = {"include_dashboard": False} if address == "local" else {}
        with _speechless():
            ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL, **options)
    except (Exception, SystemExit) as error:  # so it ends where something answers that is not Ray
        reason = str(error).strip().split("\n")[0] if isinstance(error, Exception) else "what answers there is not Ray"
        raise ClusterError(f"No Ray cluster answers at {address} ({reason}); {remedy}.") from error


@contextmanager
def _speechless() -> Iterator[None]:
    """Keeps Ray's engine, which is not Python, from greeting on the terminal, as it does at any log level."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


def _look_for(address: str) -> None:
    """Asks for a sign of life first: Ray waits for two minutes."""
    if address in ("auto", "local"):
        return
    parts = urlsplit(f"//{address}")
    if not parts.hostname or not parts.port:
        raise ValueError("that is no host and port")
    socket.create_connection((parts.hostname, parts.port), timeout=_ANSWERS_WITHIN_S).close()


def _embedded(
    settings: Settings, batches: Iterable[Sequence[FoundPaper]]
) -> Generator[list[EmbeddedPaper], None, None]:
    """Embeds on the cluster that this process is connected to; papers come as they are done."""
    rest = iter(batches)
    while wave := list(islice(rest, _BATCHES_A_WAVE)):
        papers = {found.paper_id: found for batch in wave for found in batch}
        for table in _on_workers(settings, list(papers.values()), at_once=len(wave[0])):
            yield _read(table, papers)


def _on_workers(settings: Settings, papers: Sequence[FoundPaper], *, at_once: int) -> Iterator[pyarrow.Table]:
    import ray
    import ray.data

    tables = [_table(page) for page in pages(papers, _PAPERS_A_TASK)]
    workers = min(len(tables), max(1, int(ray.cluster_resources().get("CPU", 1))))  # type: ignore[no-untyped-call]
    made = ray.data.from_arrow(tables).map_batches(
        _Worker,
        fn_constructor_args=(settings.embedding_model, settings.embedding_precision, version("footnote-rag")),
        batch_size=None,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
    )
    made.context.enable_progress_bars = False
    made.context.print_on_execution_start = False
    yield from made.iter_batches(batch_size=at_once, batch_format="pyarrow")


def _table(papers: Sequence[FoundPaper]) -> pyarrow.Table:
    import pyarrow

    made = [found.paper for found in papers]
    return pyarrow.table(
        {
            "paper_id": [paper.id for paper in made],
            "title": [paper.title for paper in made],
            "abstract": [paper.abstract for paper in made],
        }
    )


class _Worker:
    """The model, opened once in every worker, with the home and the settings of the machine that it is on."""

    def __init__(self, model: str, precision: Precision, driver: str) -> None:
        keep_quiet()
        here = version("footnote-rag")
        if here != driver:
            raise ClusterError(
                f"a worker has footnote-rag {here}, but this is {driver}: install the same on every node"
            )
        self._model = open_model(load_settings(embedding_model=model, embedding_precision=precision), precision)

    def __call__(self, papers: pyarrow.Table) -> pyarrow.Table:
        import pyarrow

        rows = papers.to_pylist()
        found = [FoundPaper(row["paper_id"], row["abstract"], (Place("", "", 1, row["title"]),)) for row in rows]
        records = embed_papers(self._model, found)
        return pyarrow.table(
            {
                "paper_id": [record.paper.id for record in records],
                "chunks": [np.ravel(record.chunks) for record in records],
                "sentences": [np.ravel(record.sentences) for record in records],
                "vectors": [record.vectors.tobytes() for record in records],
                "tokens": [record.packed_tokens for record in records],
            }
        )


def _read(made: pyarrow.Table, papers: dict[str, FoundPaper]) -> list[EmbeddedPaper]:
    """What the workers made, with the places of the papers, which never left this process."""
    records = []
    for row in made.to_pylist():
        found = papers[row["paper_id"]]
        spans = [tuple(zip(row[name][::2], row[name][1::2], strict=True)) for name in ("chunks", "sentences")]
        vectors = np.frombuffer(row["vectors"], dtype=np.float32).reshape(sum(map(len, spans)), -1)
        records.append(EmbeddedPaper(found.paper, found.places, spans[0], spans[1], vectors, row["tokens"]))
    return records


def _reason(error: Exception) -> str:
    """The last line of what a worker said: the lines before are where it was."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
