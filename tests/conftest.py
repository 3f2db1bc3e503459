"""What all tests share: the seeds ingested once, no settings from outside, and no way to the network."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
from filelock import FileLock

from rag.settings import Settings
from tests.warm_process import Forker, WarmProcess

ROOT = Path(__file__).resolve().parents[1]
SEEDS = ROOT / "seeds"
_OURS = ("RAG_", "OPENAI_")
_INGEST = ("ingestion/embed_papers", "ingestion/sync", "library/chroma", "library/derived", "library/lexical_index",
           "library/library", "library/paper_rows", "library/paper_store", "library/records", "library/stamp",
           "models/embedding", "models/encoders", "models/late_interaction", "models/onnx_export", "text/sentences",
           "text/words")  # fmt: skip

_LONGEST_FIRST = (
    "library/test_chroma_server", "ui/chat/test_accessibility", "ui/chat/test_browser", "ingestion/test_kill",
    "ingestion/test_ray_cluster", "library/test_paper_store", "test_network", "models/test_embedding",
    "checks/test_perturbations", "ui/map/test_map_browser", "ui/chat/test_hostile_library", "ingestion/test_sync",
    "library/test_library", "ui/server/test_login", "ui/papers/test_papers_browser", "llm/test_misbehaving_model",
    "serve/test_app", "test_wheel", "ui/chat/test_connection", "ui/server/test_killed_server",
)  # fmt: skip
_COLOURING = ("FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS")  # typer takes any of them for a terminal

for _name in [name for name in os.environ if name.upper().startswith(_OURS) or name in _COLOURING]:
    del os.environ[_name]  # here already: session fixtures run before any test's own

_attempts: list[str] = []
_forbidding = True


def _is_a_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _watch_sockets(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: Python calls it before every use of a socket, by whatever library."""
    if not _forbidding or event not in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
        return
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return  # a socket of the file system
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost", "::1", "::", "0.0.0.0") or str(name).startswith("127."):  # noqa: S104
        return
    if event == "socket.getaddrinfo" and _is_a_number(str(name)):
        return  # nobody is asked for it
    if str(name).endswith(".invalid"):
        raise socket.gaierror(f"{name} exists nowhere (RFC 6761), so a test that asks for it means to fail")
    _attempts.append(f"{event} {name}")
    raise ConnectionRefusedError(f"tests have no network, and this one asked for {name}")


sys.addaudithook(_watch_sockets)


@pytest.fixture(autouse=True)
def _alone(
    request: pytest.FixtureRequest,
    models: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    """No setting, no `.env`, no library of the user; and a test that wanted the network fails."""
    for name in [name for name in os.environ if name.upper().startswith(_OURS)]:
        monkeypatch.delenv(name)
    # A port comes around again: what one test's model said must not answer another's.
    monkeypatch.setenv("RAG_LLM_CACHE", "false")
    monkeypatch.setenv("RAG_MODELS", str(models))
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.setenv("XDG_DATA_HOME", str(elsewhere / "data"))
    monkeypatch.chdir(elsewhere)
    before = len(_attempts)
    yield
    if "network_attempts" not in request.fixturenames:
        assert _attempts[before:] == [], "the network was asked for"


@pytest.fixture(scope="session")
def models(request: pytest.FixtureRequest) -> Path:
    """Where the bundled model is made ready once, and not in every test's home."""
    return Path(request.config.cache.mkdir("models"))


@pytest.fixture
def network_attempts() -> list[str]:
    """What the test tries to reach outside this machine, for tests that do so on purpose; it is refused."""
    _attempts.clear()
    return _attempts


@pytest.fixture
def network_allowed() -> Iterator[None]:
    """For a test that watches sockets itself."""
    global _forbidding  # noqa: PLW0603 (an audit hook cannot be taken out again)
    _forbidding = False
    yield
    _forbidding = True


@pytest.fixture(scope="session")
def seed_home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, models: Path) -> Path:
    """A RAG_HOME with all the seeds, made once for all processes and for as long as nothing it depends on changes."""
    from rag.ingestion.sync import sync

    kept = request.config.cache.mkdir(f"seeds-{_what_a_library_depends_on()}")
    with FileLock(kept / "lock"):
        if not (kept / "whole").exists():
            shutil.rmtree(kept / "home", ignore_errors=True)
            report = sync(Settings(_env_file=None, home=kept / "home", models=models))  # type: ignore[call-arg]
            assert report.total == 308
            (kept / "whole").touch()
        home = tmp_path_factory.mktemp("seed") / "home"
        return Path(shutil.copytree(kept / "home", home))


def _what_a_library_depends_on() -> str:
    """A digest of the seeds, of what reads, embeds and stores them, and of the versions of all libraries."""
    digest = hashlib.sha256((ROOT / "constraints.txt").read_bytes())
    engine = [ROOT / "rag" / f"{name}.py" for name in _INGEST]
    for path in sorted([*engine, *(ROOT / "rag" / "corpus").glob("*.py"), *SEEDS.iterdir()]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@pytest.fixture(scope="session")
def seed_settings(seed_home: Path) -> Settings:
    """The library of the seeds, no language model, every other setting at its default."""
    return Settings(_env_file=None, home=seed_home)  # type: ignore[call-arg]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An empty library of the test's own."""
    return Settings(_env_file=None, home=tmp_path / "home")  # type: ignore[call-arg]


@pytest.fixture(scope="session")
def abstracts() -> list[str]:
    """The forty shortest abstracts of the seeds, cleaned."""
    from rag.corpus.details import Entry
    from rag.corpus.formats import read_file

    entries = (entry for path in sorted(SEEDS.iterdir()) for entry in read_file(path))
    return sorted(
        {entry.abstract for entry in entries if isinstance(entry, Entry)}, key=lambda text: (len(text), text)
    )[:40]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a real sentence-transformers model of 16 dimensions that reads 64 tokens."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    letters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{each}" for each in letters)]
    (folder / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    tokenizer = BertTokenizerFast(vocab=str(folder / "vocab.txt"), do_lower_case=True)
    torch.manual_seed(7)
    bert = BertModel(
        BertConfig(
            vocab_size=len(pieces), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=32, max_position_embeddings=64,
        )
    )  # fmt: skip
    bert.save_pretrained(folder / "bert")
    tokenizer.save_pretrained(folder / "bert")
    words = Transformer(str(folder / "bert"), max_seq_length=64)
    SentenceTransformer(modules=[words, Pooling(16)]).save(str(folder / "model"))
    return folder / "model"


Python = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def forker() -> Iterator[Forker]:
    forker = Forker(ROOT)
    yield forker
    forker.close()


@pytest.fixture
def python(request: pytest.FixtureRequest) -> Iterator[Python]:
    """Starts `python -c CODE ARGUMENTS` as another process with the library importable; killed at the end.

    With the tiny model it would first import torch for seconds, and so it is forked from a process that has.
    """
    started: list[subprocess.Popen[str]] = []
    is_warm = sys.platform == "linux" and "tiny_model" in request.fixturenames

    def start(
        code: str, *arguments: object, env: dict[str, str] | None = None, stdin: bool = False
    ) -> subprocess.Popen[str]:
        options: dict[str, Any] = {
            "stdin": subprocess.PIPE if stdin else subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
            "env": {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
        }
        given = code, *map(str, arguments)
        if is_warm:
            started.append(WarmProcess(request.getfixturevalue("forker"), *given, **options))
        else:
            started.append(subprocess.Popen([sys.executable, "-u", "-c", *given], **options))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], object], *, within_s: float = 120, what: str) -> None:
    """Waits for what is to come, however long a loaded machine takes for it."""
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, f"{what}: not within {within_s} s"
        time.sleep(0.1)


def comes_within(seconds: float, condition: Callable[[], object]) -> bool:
    """Whether it comes true in time, by a clock that stands still while a loaded machine keeps this thread waiting."""
    for _ in range(round(seconds / 0.01)):
        if condition():
            return True
        time.sleep(0.01)
    return bool(condition())


def write_abstracts(path: Path, texts: Sequence[str]) -> Path:
    """A file of `Abstract:` lines, as the first of the three shapes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"Abstract:{text}\n" for text in texts), encoding="utf-8")
    return path


def write_titled(path: Path, papers: Sequence[tuple[str, str]]) -> Path:
    """A file of title and abstract lines, as the second shape."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{title}\n{text}\n" for title, text in papers), encoding="utf-8")
    return path


def pytest_configure(config: pytest.Config) -> None:
    config.option.loadscopereorder = False  # pytest-xdist would begin with the files of most tests, not the longest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: of two processes none is left with one of them at the end."""
    places = {ROOT / "tests" / f"{name}.py": place for place, name in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_make_parametrize_id(val: object) -> str | None:
    """A behaviour of a server by its name, not its address in memory: two processes must collect the same tests."""
    return val.__qualname__.partition(".")[0] if isinstance(val, FunctionType) else None
