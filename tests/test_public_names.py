"""The public names: all there, in order, cheap to import, and typed."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import rag
from tests.conftest import ROOT

HEAVY = ("torch", "sentence_transformers", "transformers", "langchain", "langchain_core", "chromadb", "openai", "gradio",
         "numpy", "tantivy", "pydantic")  # fmt: skip
USE = """
from collections.abc import Iterator

from rag import (
    Answer, AnswerEvent, Assistant, Citation, Done, Filter, IngestReport, LLMError, Notice, Outcome, Paper, Passage,
    RagError, Retrieved, Settings, Token, Turn, answer, build_chain, ingest, load_settings, papers, search, similar, stream,
)

settings: Settings = load_settings(home="/tmp/x")
where = Filter(sources=("a.txt",), years=(2020, 2024))
found: Answer = answer("What?", history=[Turn("user", "Why?")], where=where, settings=settings)
again: Answer = answer("What?", history=[{"role": "user", "content": "Why?"}])
events: Iterator[AnswerEvent] = stream("What?")
for event in events:
    if isinstance(event, Token | Notice):
        text: str = event.text
    elif isinstance(event, Retrieved):
        best: Passage = event.passages[0]
    elif isinstance(event, Done):
        outcome: Outcome = event.answer.outcome
citation: Citation = found.citations[0]
quote: str = citation.paper.abstract[citation.start : citation.end]
listed: list[Paper] = papers(where=where)
near: list[Passage] = similar(listed[0].id, 3)
ranked: list[Passage] = search("What?", k=3)
report: IngestReport = ingest(["a.txt"])
assistant: Assistant = Assistant.open(settings)
chained: Answer = build_chain(settings).invoke({"question": "What?"})
try:
    assistant.answer("What?")
except LLMError as error:
    later: bool = error.transient
except RagError as error:
    print(str(error))
"""
# Our own types only: those of the libraries below would take half a minute to read.
STRICT = "[mypy]\nstrict = true\nfollow_imports = skip\n[mypy-rag.*]\nfollow_imports = normal\n"
WRONG = """
from rag import answer
number: int = answer("What?").text
answer(question=7)
answer("What?", hystory=())
"""


def python(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=cwd)


def test_the_names_are_sorted_and_each_can_be_imported():
    assert sorted(rag.__all__) == rag.__all__
    assert len(set(rag.__all__)) == len(rag.__all__)
    for name in rag.__all__:
        assert getattr(rag, name) is not None
    namespace: dict[str, object] = {}
    exec("from rag import *", namespace)  # noqa: S102
    assert set(rag.__all__) <= namespace.keys()


def test_type_checkers_see_the_names_that_python_gives_and_no_others():
    statements = ast.parse((ROOT / "rag" / "__init__.pyi").read_text(encoding="utf-8")).body
    assert all(isinstance(statement, ast.ImportFrom) for statement in statements)
    seen = [alias.asname for statement in statements for alias in statement.names]  # type: ignore[attr-defined]
    assert sorted(seen) == rag.__all__
    assert {"ClusterError", "LLMError", "Verdict", "answer", "visible"} <= set(seen)


def test_a_name_that_is_not_public_is_no_attribute():
    with pytest.raises(AttributeError, match="no attribute 'secret'"):
        rag.secret  # type: ignore[attr-defined] # noqa: B018


@pytest.mark.parametrize("statement", ["import rag", "from rag import Answer, Filter, RagError, Turn"])
def test_importing_costs_no_library(statement):
    done = python("-c", f"import sys; {statement}; print(sorted({set(HEAVY)!r} & set(sys.modules)))", cwd=ROOT)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_names_are_those_of_the_modules_that_define_them():
    for name in rag.__all__:
        assert str(getattr(getattr(rag, name), "__module__", "rag.")).startswith(("rag.", "types"))


def test_the_engine_does_not_need_the_chat():
    done = python(
        "-c",
        "import sys; import rag.commands.main, rag.assistant, rag.langchain.chain; print({'gradio'} & set(sys.modules))",
        cwd=ROOT,
    )
    assert done.stdout == "set()\n"


def test_code_that_uses_the_names_passes_a_strict_type_check_and_wrong_code_does_not(tmp_path):
    (tmp_path / "use.py").write_text(USE, encoding="utf-8")
    (tmp_path / "all.py").write_text(f"from rag import {', '.join(rag.__all__)}", encoding="utf-8")
    (tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    (tmp_path / "mypy.ini").write_text(STRICT, encoding="utf-8")
    done = python(
        "-m", "mypy", "--cache-dir", str(tmp_path / "cache"), "--no-error-summary", "use.py", "all.py", "wrong.py",
        cwd=tmp_path,
    )  # fmt: skip
    assert [line.split(":")[0:2] for line in done.stdout.splitlines() if ": error:" in line] == [
        ["wrong.py", "3"], ["wrong.py", "4"], ["wrong.py", "5"],
    ], done.stdout  # fmt: skip


def test_our_commands_multiply_in_one_thread_unless_told_otherwise() -> None:
    code = """
import sys
from rag.commands.main import main
sys.argv = ["footnote", "--help"]
try:
    main()
except SystemExit:
    import numpy, threadpoolctl
    print("threads:", {each["num_threads"] for each in threadpoolctl.threadpool_info() if each["user_api"] == "blas"})
"""
    plain = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    for told, threads in (({}, 1), ({"OPENBLAS_NUM_THREADS": "2"}, 2)):
        done = subprocess.run(
            [sys.executable, "-c", code], env=plain | told, capture_output=True, text=True, check=True
        )
        assert f"threads: {{{threads}}}" in done.stdout
