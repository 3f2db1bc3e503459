"""The command line, as an installed script: what it prints where, and with which exit code."""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import subprocess
from pathlib import Path

import pytest

from rag import Settings
from tests import llm_server as server
from tests.command import SCRIPT, footnote, inside
from tests.conftest import write_abstracts, write_titled
from tests.llm_server import ChatServer

QUESTION = "How many tasks does TimeArena have?"
ESCAPES = "\x1b[31mred\x1b[0m \x1b]0;title\x07 bell\x07 \x9b2J \u202ereversed"


@pytest.fixture
def home(seed_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment says where the library of the seeds is."""
    monkeypatch.setenv("RAG_HOME", str(seed_settings.home))
    return seed_settings.home


def test_ask_prints_the_answer_and_below_it_what_it_cites(home):
    done = footnote("ask", QUESTION)
    assert (done.code, done.err) == (0, "")
    text, _, notes = done.out.partition("\n\n")
    assert "30 real-world tasks" in text
    assert "[1]" in text
    assert re.fullmatch(r"\[1\] TimeArena: .* \(003_857b39fc0039485e\.txt:128\)\n", notes)


def test_ask_as_json_gives_the_whole_answer_and_reads_the_question_from_a_pipe(home):
    code, out, err = inside("ask", "-", "--json", stdin=f"{QUESTION}\n".encode())
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert list(answer) == [
        "question", "standalone_question", "text", "outcome", "citations", "passages", "claims", "missing",
        "unknown_terms", "removed_markers", "cut", "model", "notices", "usage", "timings_ms", "searches",
        "searched",
    ]  # fmt: skip
    assert (answer["question"], answer["outcome"]) == (QUESTION, "answered")
    for citation in answer["citations"]:
        assert citation["paper"]["abstract"][citation["start"] : citation["end"]] == citation["quote"]
    assert len(answer["passages"]) >= 10


def test_the_answer_is_on_the_terminal_while_the_model_still_writes(home):
    """The server waits with the rest until the beginning was read from the script's output."""
    import threading

    was_read = threading.Event()

    def waits_for_the_reader(exchange: server.Exchange) -> None:
        exchange.start_stream()
        exchange.chunk({"content": "It has thirty tasks "})
        assert was_read.wait(300)
        exchange.chunk({"content": "[1]."}, "stop")
        exchange.done(2)

    with ChatServer(waits_for_the_reader) as chat:
        environment = {**os.environ, "RAG_LLM_MODEL": "tiny", "OPENAI_BASE_URL": chat.base_url}
        with subprocess.Popen([SCRIPT, "ask", QUESTION], stdout=subprocess.PIPE, env=environment) as process:
            assert process.stdout
            assert process.stdout.read(15) == b"It has thirty t"
            was_read.set()
            rest = process.stdout.read().decode()
    assert process.returncode == 0
    assert rest.startswith("asks [1].\n")
    assert "“TimeArena grounds to 30 real-world tasks" in rest


def test_a_refusal_lists_the_nearest_papers(home):
    code, out, _ = inside("ask", "Who won the 1998 football world cup in Kyrgyzstan?")
    assert code == 0
    assert out.startswith(
        "None of the 308 papers in the library answers this question."
        " No abstract of the library mentions 1998, football or Kyrgyzstan.\n"
    )
    assert "The nearest papers, none of which is cited:\n  - " in out
    assert out.count("Kyrgyzstan") == 1, "the text says it"


def test_ask_keeps_to_the_files_it_is_given(home):
    only = "002_171020d50a5c37d9.txt"
    _, out, _ = inside("ask", "--json", "-s", only, "language models")
    assert all(only in str([p["paper"]["source"], p["paper"]["also_in"]]) for p in json.loads(out)["passages"])
    code, _, err = inside("ask", "-s", only.replace("txt", "text"), QUESTION)
    assert code == 2
    assert f"did you mean {only}?" in err


def test_what_the_model_did_wrong_is_said_below_the_answer(home, monkeypatch):
    with ChatServer("It is so [1]. Not so [9].") as chat:
        monkeypatch.setenv("OPENAI_BASE_URL", chat.base_url)
        monkeypatch.setenv("RAG_LLM_MODEL", "tiny")
        code, out, _ = inside("ask", QUESTION)
    assert code == 0
    assert out.startswith("It is so [1]. Not so.\n")
    assert "name no passage, removed: [9]" in out


def test_where_the_model_fails_the_command_without_it_is_named_and_works(home, monkeypatch):
    monkeypatch.setenv("RAG_LLM_MODEL", "tiny")
    for behaviour, said in [(server.wrong_key(), "wants a key"), (server.cuts("It has 30"), "broke off in the middle")]:
        with ChatServer(behaviour) as chat:
            monkeypatch.setenv("OPENAI_BASE_URL", chat.base_url)
            code, _, err = inside("ask", QUESTION)
            assert code == 2
            assert said in err
            command = err.split("(Without the language model: ")[1].strip().removesuffix(")")
            assert shlex.split(command) == ["footnote", "ask", "--extractive", QUESTION]
            code, out, err = inside(*shlex.split(command)[1:])
            assert len(chat.requests) == 1
        assert (code, err) == (0, "")
        assert "30 real-world tasks" in out


def test_what_was_searched_for_besides_is_said(home, monkeypatch):
    question = (
        "Is there a link between picture generators that start from static and studies where people redraw drawings?"
    )
    with ChatServer(*["diffusion\x1b models\nserial reproduction", "It is so [1]."] * 2) as chat:
        monkeypatch.setenv("OPENAI_BASE_URL", chat.base_url)
        monkeypatch.setenv("RAG_LLM_MODEL", "tiny")
        _, out, err = inside("ask", question)
        assert "Also searched for: diffusion models; serial reproduction\n" in err
        assert "Also searched for" not in out
        assert json.loads(inside("ask", "--json", question)[1])["searches"]


def test_ingest_reports_what_it_did_and_what_it_could_not_read(tmp_path):
    folder = tmp_path / "papers"
    write_titled(folder / "a.txt", [("Kites", "Abstract: Kites fly on tails."), ("Bees", "Abstract: Bees count.")])
    write_abstracts(folder / "b.txt", ["Bees count."])
    (folder / "empty.txt").touch()
    (folder / "latin.txt").write_bytes(b"Abstract: caf\xe9\n")
    mine = {"RAG_HOME": str(tmp_path / "home")}
    done = footnote("ingest", str(folder), **mine)
    assert done.code == 0
    first, *skipped = done.out.splitlines()
    assert re.match(
        r"2 papers in the library: 2 added, 0 changed, 0 unchanged, 0 removed, 1 merged; \d+ texts embedded\.", first
    )
    assert skipped[0] == "skipped empty.txt: it is empty"
    assert re.fullmatch(r"skipped latin\.txt: it is not UTF-8 .*; save it as UTF-8", skipped[1])
    assert re.search(r"Ingesting.* 2/2", done.err)
    again = footnote("ingest", "--json", **mine)
    report = json.loads(again.out)
    assert (report["unchanged"], report["embedded"], report["total"]) == (2, 0, 2)
    assert {skip["source"] for skip in report["skipped"]} == {"empty.txt", "latin.txt"}
    assert again.err == ""


def test_papers_can_be_listed_and_shown(home):
    _, out, _ = inside("papers", "list")
    lines = out.splitlines()
    assert len(lines) == 308
    assert all(re.match(r"[0-9a-f]{16}  \S+\.txt:\d+  \S", line) for line in lines)
    _, out, _ = inside("papers", "list", "--json", "-s", "000_6502c803306ef48d.txt")
    assert {paper["source"] for paper in json.loads(out)} == {"000_6502c803306ef48d.txt"}
    paper = next(paper for paper in json.loads(out) if paper["also_in"])
    _, shown, _ = inside("papers", "show", paper["id"][:8].upper())
    assert paper["abstract"] in shown
    assert "[untitled]" in shown
    for source, line in paper["also_in"]:
        assert f"  {source}:{line}\n" in shown
    assert json.loads(inside("papers", "show", "--json", paper["id"])[1]) == paper


@pytest.mark.parametrize(("name", "said"), [("zzz", "No papers have an id that begins with 'zzz'"), ("", "308 papers")])
def test_an_id_of_no_paper_or_of_several_is_an_error(home, name, said):
    code, out, err = inside("papers", "show", name)
    assert (code, out) == (2, "")
    assert said in err
    assert "`footnote papers list`" in err


def test_no_papers_is_said_with_the_command_that_brings_some(settings, monkeypatch):
    monkeypatch.setenv("RAG_HOME", str(settings.home))
    code, out, err = inside("papers", "list")
    assert (code, out) == (0, "")
    assert "footnote ingest" in err


def test_doctor_finds_all_well(home):
    done = footnote("doctor")
    assert (done.code, done.err) == (0, "")
    found = dict(re.findall(r"^ok    (\w+(?: \w+)?) +(.*)$", done.out, re.MULTILINE))
    assert len(done.out.splitlines()) == len(found) == 7
    assert "RAG_HOME=" in found["settings"]
    assert "308 papers in " in found["library"]
    assert "checksum right" in found["embedding model"]
    assert "RAG_LLM_MODEL" in found["language model"]


def test_doctor_asks_the_model_and_never_shows_a_key(home, monkeypatch):
    with ChatServer("ready") as chat:
        monkeypatch.setenv("RAG_LLM_MODEL", "tiny")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test-secret-0123456789")
        monkeypatch.setenv("OPENAI_BASE_URL", chat.base_url)
        code, out, err = inside("doctor")
    assert code == 0
    assert len(chat.requests) == 1
    assert f"tiny at {chat.host} answers" in out
    assert "OPENAI_API_KEY=(set)" in out
    assert "secret" not in out + err


def test_help_answers_at_once():
    """In processor time, which other work on the machine does not lengthen."""
    spent = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = footnote("--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert sorted(spent)[2] < 0.5
    for command in ("ask", "ingest", "papers", "doctor", "ui"):
        assert re.search(rf"\b{command}\b", done.out)


@pytest.mark.parametrize("arguments", [(), ("papers",)])
def test_no_command_shows_the_help(arguments):
    assert "Usage: footnote" in footnote(*arguments).out


@pytest.mark.parametrize("arguments", [("nonsense",), ("ask",), ("ask", "--nonsense", "x"), ("ingest", "--nonsense")])
def test_a_command_that_is_not_understood_exits_with_2(arguments):
    done = footnote(*arguments)
    assert done.code == 2
    assert "Usage: footnote" in done.err


def test_control_characters_of_papers_and_models_do_not_reach_the_terminal(tmp_path, monkeypatch):
    monkeypatch.setenv("RAG_HOME", str(tmp_path / "home"))
    hostile = tmp_path / f"evil{ESCAPES.replace('/', '')}.txt"
    write_titled(hostile, [(f"Kites {ESCAPES}", f"Abstract: Kites {ESCAPES} fly high on long tails.")])
    (tmp_path / "\x1b[2Jempty.txt").touch()
    shown = [inside("ingest", str(tmp_path))]
    paper_id = inside("papers", "list", "--json")[1].split('"id": "')[1][:16]
    shown += [inside("papers", "list"), inside("papers", "show", paper_id), inside("ask", "How do kites fly?")]
    with ChatServer(server.says(*f"Kites {ESCAPES} fly [1]. {ESCAPES} [9]")) as chat:
        monkeypatch.setenv("OPENAI_BASE_URL", chat.base_url)
        monkeypatch.setenv("RAG_LLM_MODEL", "tiny")
        shown += [inside("ask", "How do kites fly?"), inside("doctor")]
    with ChatServer(server.fails(400, f"Bad {ESCAPES}")) as chat:
        monkeypatch.setenv("OPENAI_BASE_URL", chat.base_url)
        shown += [inside("ask", "How do kites fly?")]
    for _, out, err in shown:
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", out + err)
    assert "fly high on long tails" in shown[2][1]


@pytest.mark.parametrize("question", ["-", "What is TimeArena caf\udcff?"])
def test_bytes_that_are_no_text_stop_no_question(home, question):
    """Piped in, or as an argument, where Python stands lone surrogates for them."""
    code, out, _ = inside("ask", question, stdin=b"What is TimeArena caf\xff?")
    assert code == 0
    assert "TimeArena" in out


def test_a_terminal_that_knows_few_letters_shows_the_others_as_question_marks(home):
    done = footnote("papers", "list", PYTHONIOENCODING="latin-1")
    assert (done.code, done.err) == (0, "")
    assert len(done.out.splitlines()) == 308
    assert " ? " in done.out


def test_a_reader_that_leaves_early_is_no_fault(home):
    """As with `footnote papers list | head -1`."""
    with subprocess.Popen([SCRIPT, "papers", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


def test_the_script_runs_from_any_folder_without_a_checkout_in_sight(home, monkeypatch):
    monkeypatch.chdir("/")
    assert len(footnote("papers", "list").out.splitlines()) == 308
