"""Every bad input and fault, at the command line: one clear message on stderr, exit code 2, nothing lost."""

from __future__ import annotations

import ctypes
import gzip
import json
import lzma
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rag import Assistant, LibraryError, Settings
from rag.commands.doctor import examine
from tests import llm_server as server
from tests.command import SCRIPT, Said, footnote, inside
from tests.conftest import ROOT, free_port, write_abstracts
from tests.llm_server import ChatServer

KEY = "sk-test-secret-0123456789"
QUESTION = "How many tasks does TimeArena have?"


@pytest.fixture
def home(seed_settings, monkeypatch) -> Path:
    monkeypatch.setenv("RAG_HOME", str(seed_settings.home))
    return seed_settings.home


@pytest.fixture
def own_home(seed_settings, monkeypatch, tmp_path) -> Path:
    """A copy of the library of the seeds, to be damaged."""
    home = tmp_path / "home"
    shutil.copytree(seed_settings.home, home)
    monkeypatch.setenv("RAG_HOME", str(home))
    return home


def refused(result: Said, *said: str) -> None:
    """Exit code 2, nothing on stdout, and one line on stderr that says all this."""
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: ")
    assert len(result.err.splitlines()) == 1
    for part in said:
        assert re.search(part, result.err), result.err


# Questions and files


@pytest.mark.parametrize("question", ["", "   ", "\n\t"])
def test_an_empty_question(home, question):
    refused(inside("ask", question), "The question is empty; ask something")
    refused(inside("ask", "--json", question), "The question is empty")


def test_an_empty_question_from_a_pipe(home):
    done = footnote("ask", "-")
    refused(done, "The question is empty")


def test_a_question_of_100_000_characters(home):
    refused(inside("ask", "x" * 100_000), "100,000 characters; at most 8,000 are read")


def test_a_file_that_is_not_there(home):
    before = len(Assistant.open().papers())
    refused(inside("ingest", "/no/such/file.txt"), "/no/such/file.txt: there is no such file or folder; check the path")
    assert len(Assistant.open().papers()) == before


def test_a_file_that_is_not_there_as_the_installed_script_says_it(tmp_path):
    done = footnote("ingest", str(tmp_path / "none.txt"), RAG_HOME=str(tmp_path / "home"))
    refused(done, "none.txt: there is no such file or folder")


@pytest.mark.parametrize("path", ["", " "])
def test_a_path_that_is_empty_is_not_the_current_folder(home, path):
    write_abstracts(Path("here.txt"), ["A line that nobody wanted to have in the library. It is there all the same."])
    refused(inside("ingest", path), "A path is empty, which would be the current folder")


@pytest.mark.parametrize("suffix", [".xz", ".gz"])
def test_a_small_file_that_unpacks_to_very_much_is_soon_refused(own_home, tmp_path, suffix):
    pack = {".xz": lzma.compress, ".gz": gzip.compress}[suffix]
    file = tmp_path / f"ends.txt{suffix}"
    file.write_bytes(pack(b"\n" * 10_000_000))
    began = time.thread_time()
    said = inside("ingest", str(file))
    assert (said.code, f"it unpacks to more than {1 << 22:,} bytes" in said.out + said.err) == (2, True)
    assert time.thread_time() - began < 20


def test_a_name_with_a_line_end_forges_no_line(own_home, tmp_path):
    forged = "0123456789abcdef  forged.txt:1  A forged paper"
    name = f"x.txt\n{forged}\n.txt"
    (tmp_path / name).write_text("On Tea\nAbstract: Tea grows on hills, and it is drunk hot. It is green or black.\n")
    assert inside("ingest", str(tmp_path / name)).code == 0
    for arguments in (["papers", "list"], ["papers", "list", "--source", name], ["ask", "Where does tea grow?"]):
        said = inside(*arguments)
        assert forged not in said.out.splitlines()
    assert forged in inside("papers", "list").out, "on the line of its paper"


def test_a_passport_that_would_be_waited_for_is_refused(home, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refused(inside("verify", str(tmp_path / "pipe")), "pipe: this is no file")


# The library


def test_a_home_is_for_its_owner_alone_and_doctor_says_where_it_is_not(tmp_path, monkeypatch):
    home = tmp_path / "above" / "home"
    monkeypatch.setenv("RAG_HOME", str(home))
    file = write_abstracts(
        tmp_path / "a.txt", ["Tea grows on hills, and it is drunk hot. It is green or black, or white."]
    )
    assert inside("ingest", str(file)).code == 0
    assert [folder.stat().st_mode & 0o777 for folder in (home, home.parent)] == [0o700, 0o700]
    home.chmod(0o755)
    found = next(finding for finding in examine() if finding.what == "home")
    assert not found.ok
    assert f"chmod 700 {home}" in found.detail


def test_a_home_that_is_a_file_is_named_as_one(tmp_path, monkeypatch):
    (tmp_path / "home").write_text("a file")
    monkeypatch.setenv("RAG_HOME", str(tmp_path / "home"))
    refused(inside("papers", "list"), "a file is in the place of this folder")
    refused(inside("ask", QUESTION), "a file is in the place of this folder")


def test_a_missing_library_that_must_not_be_made(tmp_path, monkeypatch):
    monkeypatch.setenv("RAG_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("RAG_AUTO_INGEST", "false")
    refused(inside("ask", QUESTION), "is empty; run `footnote ingest PATHS`", "RAG_AUTO_INGEST=true")
    refused(inside("ingest", "--rebuild"), "footnote ingest")


def test_a_library_of_another_model(home, monkeypatch):
    monkeypatch.setenv("RAG_EMBEDDING_MODEL", "sentence-transformers/all-mpnet-base-v2")
    mends = ("was made with .*all-MiniLM-L6-v2", "`footnote ingest --rebuild`", "set RAG_EMBEDDING_MODEL=")
    refused(inside("ask", QUESTION), *mends)
    refused(inside("papers", "list"), *mends)
    refused(inside("ingest"), *mends)


@pytest.mark.parametrize("damage", [b"this is no database", b""])
def test_a_damaged_library(own_home, damage):
    (own_home / "chroma" / "chroma.sqlite3").write_bytes(damage * 1_000)
    if damage:
        refused(inside("ask", QUESTION), "is damaged", "footnote ingest")
        refused(inside("papers", "list"), "is damaged")
    else:  # Chroma takes an empty file for a new database: there is nothing in it
        assert inside("papers", "list")[0] == 0


def test_a_folder_of_vectors_that_was_cut_short(own_home):
    for file in (own_home / "chroma").rglob("*.bin"):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    code, out, err = inside("ask", QUESTION)
    # Chroma reads what it needs of them from its log, or says that it cannot.
    assert (code == 0 and "[1] TimeArena" in out) or (code == 2 and "is damaged" in err)
    assert "Traceback" not in err


def test_a_chroma_server_that_is_down(home, monkeypatch):
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("RAG_CHROMA_URL", url)
    for command in (("ask", QUESTION), ("papers", "list"), ("ingest",)):
        refused(inside(*command), re.escape(url), "does not answer", "chroma run", "RAG_CHROMA_URL")


# The language model


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (server.wrong_key(), "does not accept the key: check OPENAI_API_KEY"),
        (server.unknown_model(), "does not know the model tiny: check RAG_LLM_MODEL"),
        (server.fails(503), "failed: ask again later"),
        (server.stalls(), "sent nothing for 0.5 s"),
        (server.cuts(), "broke off before it said anything"),
        (server.fails(400, f"Bad key {KEY}."), "refused the request"),
    ],
)
def test_a_model_that_refuses(home, monkeypatch, behaviour, said):
    with ChatServer(behaviour) as chat:
        use_model(monkeypatch, chat.base_url)
        monkeypatch.setenv("RAG_LLM_TIMEOUT_S", "0.5")
        result = inside("ask", QUESTION)
        refused(result, said, re.escape(chat.host))
        assert KEY not in str(result)
        code, out, _ = inside("doctor")
    assert code == 2
    assert re.search(rf"^FAIL  language model .*{said}", out, re.MULTILINE)
    assert KEY not in out


def test_a_model_whose_server_is_down(home, monkeypatch):
    use_model(monkeypatch, f"http://127.0.0.1:{free_port()}/v1")
    refused(inside("ask", QUESTION), r"No connection to 127\.0\.0\.1:\d+", "is it running")


def test_a_model_without_key_or_address(home, monkeypatch):
    monkeypatch.setenv("RAG_LLM_MODEL", "gpt-5-mini")
    refused(inside("ask", QUESTION), "set OPENAI_API_KEY .* or OPENAI_BASE_URL")


def test_a_stream_that_breaks_halfway_keeps_its_text_and_says_that_it_was_cut(home, monkeypatch):
    with ChatServer(server.cuts("TimeArena has 30 real-world tasks [1]. It ", "also")) as chat:
        use_model(monkeypatch, chat.base_url)
        code, out, err = inside("ask", QUESTION)
    assert code == 2
    assert out.startswith("TimeArena has 30 real-world tasks [1]. It also\n")
    assert "[1] TimeArena" in out
    spent, said = err.splitlines()
    assert re.fullmatch(r"[\d,]+ \+ \d+ tokens \(estimated\)", spent), "what was written was paid for"
    assert said.startswith(f"The answer was cut: {chat.host} broke off in the middle of the answer: ask again. (")


def use_model(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("RAG_LLM_MODEL", "tiny")
    monkeypatch.setenv("RAG_LLM_RETRIES", "0")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", url)


# Prompts and settings


def test_a_prompt_file_that_is_missing_or_has_an_unknown_placeholder(home, monkeypatch, tmp_path):
    monkeypatch.setenv("RAG_PROMPTS", str(tmp_path))
    with ChatServer("It is so [1].") as chat:
        use_model(monkeypatch, chat.base_url)
        refused(inside("ask", QUESTION), "answer.md: there is no such prompt file", "RAG_PROMPTS")
        for name in ("answer.md", "condense.md", "expand.md"):
            shutil.copy(ROOT / "prompts" / name, tmp_path)
        with (tmp_path / "answer.md").open("a") as file:
            file.write("\n$colour\n")
        refused(inside("ask", QUESTION), r"answer\.md: the placeholder \$colour is unknown; those that are filled: ")
    assert chat.requests == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("RAG_LLM_MODLE", "x", "RAG_LLM_MODLE: there is no such setting; did you mean RAG_LLM_MODEL?"),
        ("rag_hmoe", "x", "did you mean RAG_HOME"),
        ("RAG_PORT", "70000", "RAG_PORT: .*65535"),
        ("RAG_LLM_TEMPERATURE", "hot", "RAG_LLM_TEMPERATURE: .*number"),
        ("RAG_CHROMA_URL", "localhost:8000", "RAG_CHROMA_URL: "),
        ("RAG_AUTO_INGEST", "perhaps", "RAG_AUTO_INGEST: "),
        ("OPENAI_BASE_URL", "http://me:hunter2@127.0.0.1/v1", "OPENAI_BASE_URL: .* user or password"),
        ("RAG_CHROMA_URL", "http://me:hunter2@127.0.0.1:8000", "RAG_CHROMA_URL: .* user or password"),
        ("RAG_COLLECTION", "No Such Name", "RAG_COLLECTION: "),
    ],
)
def test_a_setting_that_is_misspelt_or_out_of_range(monkeypatch, name, value, said):
    monkeypatch.setenv(name, value)
    for command in (("ask", QUESTION), ("papers", "list"), ("ingest",)):
        result = inside(*command)
        refused(result, said)
        assert "hunter2" not in result.err
    code, out, _ = inside("doctor")
    assert code == 2
    assert re.search(rf"^FAIL  settings .*{said}", out, re.MULTILINE)


# Disk


def without_power_over_files() -> None:
    """Takes from root, in the process to come, the right to write where nobody may."""
    if os.geteuid() == 0:
        drop_from_bounding_set, override_permissions = 24, 1
        if ctypes.CDLL(None).prctl(drop_from_bounding_set, override_permissions, 0, 0, 0) != 0:
            raise OSError("cannot give up the power over files")


def limited(*arguments: str, before: Callable[[], None], **environment: str) -> Said:
    done = subprocess.run(
        [SCRIPT, *arguments], env={**os.environ, **environment}, preexec_fn=before, capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return Said(done.returncode, done.stdout, done.stderr)


def test_a_home_that_cannot_be_written(tmp_path):
    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    file = write_abstracts(tmp_path / "a.txt", ["Kites fly."])
    result = limited("ingest", str(file), before=without_power_over_files, RAG_HOME=str(home))
    refused(result, re.escape(str(home)), "cannot be written", "RAG_HOME")
    assert list(home.iterdir()) == []


def test_a_home_below_a_file(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("RAG_HOME", str(tmp_path / "file" / "home"))
    refused(inside("ingest", str(ROOT / "seeds")), "cannot be written", "RAG_HOME")
    code, out, err = inside("ask", QUESTION)
    notice, error = err.splitlines()
    assert (code, out) == (2, "")
    assert "library is empty" in notice
    assert re.match("error: .* cannot be written .* RAG_HOME", error)


def test_a_library_that_became_read_only_answers_and_is_whole_afterwards(own_home):
    """Chroma writes even to be read, and the lexical index is gone."""
    shutil.rmtree(own_home / "lexical")
    for folder, _, files in os.walk(own_home, topdown=False):
        for name in files:
            (Path(folder) / name).chmod(0o444)
        Path(folder).chmod(0o555)
    result = limited("ask", QUESTION, before=without_power_over_files)
    for folder, _, files in os.walk(own_home):
        Path(folder).chmod(0o755)
        for name in files:
            (Path(folder) / name).chmod(0o644)
    assert (result.code, result.err) == (0, "")
    assert "30 real-world tasks" in result.out
    assert inside("ask", QUESTION) == result


@pytest.mark.slow
def test_where_nothing_can_be_written_questions_are_answered_and_what_writes_says_why(own_home, tmp_path):

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    expected = [inside("ask", "--json", QUESTION), inside("papers", "list")]
    before = {path: path.stat().st_mtime_ns for path in own_home.rglob("*") if path.is_file()}
    answered, listed = (
        limited(*arguments, before=full) for arguments in (["ask", "--json", QUESTION], ["papers", "list"])
    )
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (answered.err, listed.err) == ("", "")
    assert json.loads(answered.out)["text"] == json.loads(expected[0].out)["text"]
    assert listed.out == expected[1].out
    file = write_abstracts(
        tmp_path / "a.txt", ["Tea grows on hills, and it is drunk hot. It is green or black, or white."]
    )
    refused(limited("ingest", str(file), before=full), "cannot be written", "free some disk space")
    assert inside("ingest", str(file)).code == 0, "with room again it goes on"


def test_a_full_disk_loses_nothing(own_home, tmp_path, abstracts):
    """A file-size limit stands for the disk; the seeds are in the library before and after."""
    new = write_abstracts(
        tmp_path / "new.txt", [f"Of zebra number {n}: {text}" for n, text in enumerate(abstracts[:8])]
    )
    size = (own_home / "chroma" / "chroma.sqlite3").stat().st_size

    def nearly_full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10_000, size + 10_000))

    code, out, err = limited("ingest", str(new), before=nearly_full)
    assert (code, out) == (2, "")
    assert "cannot be written" in err
    assert "free some disk space" in err
    settings = Settings(_env_file=None, home=own_home)
    assert len(Assistant.open(settings).papers()) >= 308
    report = Assistant.open(settings).ingest([new])
    assert report.total == 308 + 8
    assert Assistant.open(settings).answer(QUESTION).citations


# Doctor


def broken(seed_settings: Settings, tmp_path: Path) -> dict[str, tuple[dict[str, object], str, str]]:
    """What is set, which finding then fails, and how it says to mend it."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "damaged" / "chroma").mkdir(parents=True)
    (tmp_path / "damaged" / "chroma" / "chroma.sqlite3").write_bytes(b"no database " * 1_000)
    here = {"RAG_HOME": seed_settings.home}
    return {
        "home": ({"RAG_HOME": tmp_path / "file" / "home"}, "home", "set RAG_HOME to a folder"),
        "prompts": ({**here, "RAG_PROMPTS": tmp_path / "none"}, "prompts", "unset RAG_PROMPTS"),
        "model": ({**here, "RAG_EMBEDDING_MODEL": tmp_path / "none"}, "embedding model", "correct RAG_EMBEDDING_MODEL"),
        "other model": ({**here, "RAG_EMBEDDING_MODEL": tmp_path}, "library", "footnote ingest --rebuild"),
        "damaged": ({"RAG_HOME": tmp_path / "damaged"}, "library", "footnote ingest"),
        "server": ({"RAG_CHROMA_URL": f"http://127.0.0.1:{free_port()}"}, "library", "correct RAG_CHROMA_URL"),
        "llm": ({**here, "RAG_LLM_MODEL": "gpt-5-mini"}, "language model", "set OPENAI_API_KEY"),
    }


@pytest.mark.parametrize("what", ["home", "prompts", "model", "other model", "damaged", "server", "llm"])
def test_doctor_says_what_is_broken_and_how_to_mend_it(what, seed_settings, tmp_path, monkeypatch, network_attempts):
    variables, which, mend = broken(seed_settings, tmp_path)[what]
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))
    failed = {finding.what: finding.detail for finding in examine() if not finding.ok}
    assert mend in failed[which]
    code, out, err = inside("doctor")
    assert (code, err) == (2, "")
    assert re.search(rf"^FAIL  {which} .*{re.escape(mend)}", out, re.MULTILINE)


def test_doctor_of_an_empty_library_is_content(settings, monkeypatch):
    monkeypatch.setenv("RAG_HOME", str(settings.home))
    found = {finding.what: finding for finding in examine()}
    assert found["library"].ok
    assert "empty" in found["library"].detail
    assert "made at the first ingest" in found["home"].detail
    assert not settings.home.exists()


def test_an_interrupted_ingest_is_found_by_doctor(own_home):
    from rag.library.library import Library
    from rag.library.library_writer import LibraryWriter

    library = Library.open(Settings(_env_file=None, home=own_home))
    assert library
    LibraryWriter(library).restamp(syncing=True)
    library.close()
    detail = next(finding.detail for finding in examine() if finding.what == "library")
    assert "interrupted: run `footnote ingest`" in detail


def test_all_of_these_are_errors_of_ours():
    from rag import errors

    own = [each for each in vars(errors).values() if isinstance(each, type) and each.__module__ == errors.__name__]
    assert all(issubclass(each, errors.RagError) for each in own)
    assert issubclass(errors.LibraryMissing, LibraryError)
    assert sys.modules["rag.errors"].__doc__
    for each in own:
        assert each.__name__ in str(errors.__doc__)
