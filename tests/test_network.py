"""Nothing leaves the machine: every address that a process asks for, by whatever library, is written down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, write_abstracts
from tests.llm_server import ChatServer

# What would make the libraries below us talk, if we let them.
PROVOKING = {
    "LANGSMITH_TRACING": "true", "LANGSMITH_TRACING_V2": "true", "LANGCHAIN_TRACING_V2": "true",
    "LANGSMITH_API_KEY": "x", "LANGSMITH_ENDPOINT": "http://langsmith.invalid", "ANONYMIZED_TELEMETRY": "True",
    "GRADIO_ANALYTICS_ENABLED": "True", "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "0", "DO_NOT_TRACK": "0",
    "ORT_DISABLE_TELEMETRY": "0",
}  # fmt: skip
# A user's environment has these; a CI's has more, at which some of the libraries keep quiet by themselves.
INHERITED = ("PATH", "HOME", "LANG", "TMPDIR")
WATCH = """
import json, sys

asked = []

def watch(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        asked.append([event, repr(arguments[1])])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        asked.append([event, repr(arguments[0])])

sys.addaudithook(watch)
"""
REPORT = """
from langchain_core.tracers.langchain import wait_for_all_tracers
wait_for_all_tracers()
import threading, time
time.sleep(0.5)  # for whatever a thread in the background is up to
print("asked:" + json.dumps(asked))
"""
USE = """
import asyncio
import rag
from rag import Assistant
from rag.commands.doctor import examine
from rag.langchain.chain import build_chain
from rag.langchain.retriever import PaperRetriever

assistant = Assistant.open()
file, question = sys.argv[1:]
assistant.ingest([file])
assert assistant.answer(question).passages
assert list(assistant.stream(question))
assert asyncio.run(build_chain().ainvoke({"question": question}))
assert build_chain().batch([{"question": question}])
assert assistant.search(question)
assert assistant.papers()
assert assistant.similar(assistant.papers()[0].id)
retriever = PaperRetriever(handle=assistant.answering.handle, model=assistant.answering.model)
assert retriever.invoke(question)
assert all(finding.ok for finding in examine()), list(examine())
"""
CHAT = """
import threading, urllib.request
from rag import Assistant, Listener
from ui.app import build_app
from ui.server.web_app import build_web_app

ready = threading.Event()
where = []

def announce(address):
    where.append(address)
    ready.set()

with Listener("127.0.0.1", 0, settings=("RAG_HOST", "RAG_PORT")) as listener:
    chat = listener.server(build_web_app(build_app(Assistant.open()), listener), on_ready=announce)
    thread = threading.Thread(target=listener.run, args=(chat,))
    thread.start()
    assert ready.wait(300)
    for page in ("/", "/config", "/theme.css"):
        with urllib.request.urlopen(where[0] + page, timeout=120) as response:
            assert response.status == 200
    chat.should_exit = True
    thread.join()
"""


def addresses(script: str, *arguments: object, home: Path, **environment: str) -> set[str]:
    """What the script asked for, but for this machine itself; it must end well."""
    inherited = {
        name: value for name, value in os.environ.items() if name in INHERITED or name.startswith(("OMP_", "RAG_"))
    }
    done = subprocess.run(
        [sys.executable, "-c", WATCH + script + REPORT, *map(str, arguments)],
        env={**inherited, **PROVOKING, "PYTHONPATH": str(ROOT), "RAG_HOME": str(home), **environment},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    asked = json.loads(done.stdout.rpartition("asked:")[2])
    return {f"{event} {what}" for event, what in asked if not is_here(what)}


def is_here(what: str) -> bool:
    """Whether an address, as written by repr, is of this machine."""
    name = what.strip("(").split(",")[0].strip("b'\")")
    return name in ("", "None", "localhost", "::1", "::", "0.0.0.0") or name.startswith(("127.", "/"))  # noqa: S104


@pytest.fixture
def file(tmp_path: Path, abstracts: list[str]) -> Path:
    return write_abstracts(tmp_path / "papers.txt", abstracts[:4])


def test_the_watch_sees_what_a_library_asks_for(tmp_path):
    """A test of the test: without our settings, a tracer does call out."""
    script = """
import os, time
from langchain_core.runnables import RunnableLambda
RunnableLambda(lambda x: x).invoke(1)
until = time.monotonic() + 30
while not any("langsmith.invalid" in what for _, what in asked) and time.monotonic() < until:
    time.sleep(0.05)
print("asked:" + json.dumps(asked), flush=True)
os._exit(0)  # the tracer would go on trying
"""
    assert any("langsmith.invalid" in each for each in addresses(script, home=tmp_path))


def left_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_library_in_c_leaves_in_the_users_folder_what_it_means_to_send(tmp_path):
    """A test of the next: such a library asks for addresses past Python, but first it keeps its reports."""
    script = """
import onnxruntime, pathlib, time
until = time.monotonic() + 30
while not any(path.is_file() for path in pathlib.Path.home().rglob("*onnxruntime*")) and time.monotonic() < until:
    time.sleep(0.05)
"""
    addresses(script, home=tmp_path / "home", HOME=str(tmp_path / "user"))
    assert any("onnxruntime" in name for name in left_in(tmp_path / "user"))


def test_ingest_ask_search_and_doctor_ask_for_nothing_and_leave_nothing_in_the_users_folder(tmp_path, file):
    (tmp_path / "user").mkdir()
    question, user = "What do language models know?", {"HOME": str(tmp_path / "user")}
    for _ in range(2):  # as new, and with the graph of the bundled model there
        models = {"RAG_MODELS": str(tmp_path / "models")}
        assert addresses(USE, file, question, home=tmp_path / "home", **user, **models) == set()
    assert left_in(tmp_path / "user") == []


def test_the_chat_asks_for_nothing(seed_home):
    assert addresses(CHAT, home=seed_home) == set()


def test_with_a_model_only_its_host_is_asked(tmp_path, file):
    with ChatServer("It is so [1].") as chat:
        model = {"RAG_LLM_MODEL": "tiny", "OPENAI_API_KEY": "sk-x", "OPENAI_BASE_URL": chat.base_url}
        assert addresses(USE, file, "What do language models know?", home=tmp_path / "home", **model) == set()
    assert len(chat.requests) >= 4
    assert {request.headers["host"] for request in chat.requests} == {chat.host}


def test_of_a_model_elsewhere_only_the_name_is_looked_up(tmp_path, file):
    script = """
import rag
rag.ingest([sys.argv[1]])
try:
    rag.answer("What do language models know?")
except rag.LLMError:
    pass
else:
    raise AssertionError("the model answered")
"""
    model = {"RAG_LLM_MODEL": "tiny", "OPENAI_BASE_URL": "http://llm.invalid/v1", "RAG_LLM_RETRIES": "0"}
    asked = addresses(script, file, home=tmp_path / "home", **model)
    assert asked
    assert {each.split()[-1].lstrip("b") for each in asked} == {"'llm.invalid'"}
