"""Answers kept on disk: the same request is not sent twice, and nothing that is kept can do harm."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from rag import Assistant, Done, LLMError, Settings, Token, Usage
from rag.commands.doctor import examine
from rag.llm.cache import AnswerCache, Kept
from rag.llm.client import ChatModel
from tests import llm_server as server
from tests.command import inside
from tests.llm.asking import assert_nothing_is_left, complete, stream
from tests.llm_server import ChatServer

KEY = "sk-test-secret-0123456789"
MESSAGES = [("system", "Be brief."), ("user", "Why? Därum “so”?")]
QUESTION = "How many tasks does TimeArena have?"
GOOD = "TimeArena has 30 real-world tasks in cooking, household activities and laboratory work [1]."
REQUEST = {"model": "tiny", "messages": [["user", "Why?"]]}
KEPT = Kept(["Yes", "."], Usage(120, 2, 20, price=0.5))


@pytest.fixture
def model(tmp_path):
    def opened(chat: ChatServer, **settings: object) -> ChatModel:
        chosen = {"home": tmp_path / "home", "llm_model": "tiny", "openai_base_url": chat.base_url, "llm_retries": 0,
                  "openai_api_key": KEY, "llm_cache": True}  # fmt: skip
        return ChatModel.open(Settings(_env_file=None, **{**chosen, **settings}))

    return opened


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_answers_are_kept_unless_that_is_switched_off(monkeypatch):
    monkeypatch.delenv("RAG_LLM_CACHE")
    assert Settings(_env_file=None).llm_cache


# Through the model


def test_the_same_request_is_answered_from_the_cache_in_the_same_pieces_at_no_price(model):
    with ChatServer(server.says("It is ", "so [1].")) as chat:
        first = list(stream(model(chat, llm_prices='{"tiny": {"prompt": 1, "completion": 1}}'), MESSAGES))
        again = list(stream(model(chat), MESSAGES))
    assert len(chat.requests) == 1
    assert first == ["It is ", "so [1].", Usage(120, 2, 20, price=pytest.approx(122e-6))]
    assert again == ["It is ", "so [1].", Usage(120, 2, 20, price=0.0, cached=True)]


@pytest.mark.parametrize(
    "other",
    [{"llm_model": "tinier"}, {"llm_temperature": 1.0}, {"llm_max_tokens": 99}, {"home": Path("elsewhere")},
     {"llm_cache": False}],
)  # fmt: skip
def test_another_request_is_not(model, other):
    with ChatServer("Yes.", "No.") as chat:
        assert complete(model(chat), MESSAGES)[0] == "Yes."
        assert complete(model(chat, **other), MESSAGES)[0] == "No."


def test_another_prompt_and_another_server_are_asked(model):
    with ChatServer("Yes.", "No.") as chat, ChatServer("Perhaps.") as another:
        assert complete(model(chat), MESSAGES)[0] == "Yes."
        assert complete(model(chat), [*MESSAGES, ("user", "")])[0] == "No."
        assert complete(model(another), MESSAGES)[0] == "Perhaps."


def test_whose_key_paid_for_it_does_not_matter_and_is_nowhere_on_disk(model, tmp_path):
    with ChatServer("Yes.", "No.") as chat:
        assert complete(model(chat), MESSAGES)[0] == "Yes."
        assert complete(model(chat, openai_api_key="sk-another-0123456789"), MESSAGES)[0] == "Yes."
    [path] = files(tmp_path / "home")
    assert KEY not in path.read_text() + str(path)


def test_only_their_owner_can_read_them(model, tmp_path):
    with ChatServer("Yes.") as chat:
        complete(model(chat), MESSAGES)
    [path] = files(tmp_path / "home")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "behaviour",
    [server.empty(), server.reasons_only(), server.cuts("It is"), server.cuts("It is", hard=False), server.fails(500),
     server.says("It is", finish="length"), server.says("It is", finish="content_filter"),
     server.error_in_stream("It is"), server.invalid_json("It is"), server.talks_forever(30_000)],
)  # fmt: skip
def test_what_is_not_a_whole_good_answer_is_not_kept(model, behaviour, tmp_path):
    with ChatServer(behaviour, "All is well.") as chat:
        with pytest.raises(LLMError):
            complete(model(chat), MESSAGES)
        assert files(tmp_path) == []
        assert complete(model(chat), MESSAGES)[0] == "All is well."


def test_an_answer_that_nobody_waited_for_is_not_kept(model, tmp_path):
    with ChatServer(server.drips("x", 0.02)) as chat:
        pieces = stream(model(chat), MESSAGES)
        assert next(pieces) == "x"
        pieces.close()
        assert chat.settled()
    assert files(tmp_path) == []


def test_a_kept_answer_can_be_left_in_the_middle(model):
    with ChatServer(server.says(*"abcdefgh")) as chat:
        complete(model(chat), MESSAGES)
        pieces = stream(model(chat), MESSAGES)
        assert next(pieces) == "a"
        pieces.close()
        assert "".join(map(str, list(stream(model(chat), MESSAGES))[:-1])) == "abcdefgh"
    assert_nothing_is_left()


def test_the_doctor_asks_the_model_itself(tmp_path, monkeypatch):
    with ChatServer("ready") as chat:
        for name, value in (("RAG_HOME", tmp_path), ("RAG_LLM_MODEL", "tiny"), ("OPENAI_BASE_URL", chat.base_url),
                            ("RAG_LLM_CACHE", "true")):  # fmt: skip
            monkeypatch.setenv(name, str(value))
        assert [list(examine())[-1].ok for _ in range(2)] == [True, True]
    assert len(chat.requests) == 2


def test_a_question_asked_twice_gets_the_same_events_and_is_paid_for_once(seed_settings, tmp_path):
    with ChatServer(server.says(*GOOD.split(" "))) as chat:
        chosen = {"llm_model": "tiny", "openai_base_url": chat.base_url, "llm_cache": True}
        assistant = Assistant.open(Settings(_env_file=None, home=seed_settings.home, **chosen))
        try:
            first, again = list(assistant.stream(QUESTION)), list(assistant.stream(QUESTION))
        finally:
            AnswerCache.of(seed_settings).clear()
    assert len(chat.requests) == 1
    assert [event for event in again if isinstance(event, Token)] == [
        event for event in first if isinstance(event, Token)
    ]
    assert isinstance(first[-1], Done)
    assert isinstance(again[-1], Done)
    assert again[-1].answer.claims == first[-1].answer.claims
    assert not first[-1].answer.usage.cached
    assert again[-1].answer.usage.cached


# The folder


@pytest.mark.parametrize(
    "damaged",
    [b"", b"{", b"null", b"[]", b"{}", b"\xff\xfe", b'{"pieces": ["Yes"]}', b'{"pieces": [1], "usage": {}}',
     b'{"pieces": [], "usage": {}}', b'{"pieces": ["Yes"], "usage": {"tokens": 1}}', b'{"pieces": 7, "usage": {}}',
     b'{"pieces": ["Yes"], "usage": 7}', b'{"pieces": ["Yes"], "usage": {"price": "much"}}', b"[" * 200_000],
)  # fmt: skip
def test_a_damaged_entry_counts_as_none_and_is_written_anew(tmp_path, damaged):
    cache = AnswerCache(tmp_path)
    cache.put(REQUEST, KEPT)
    [path] = files(tmp_path)
    path.write_bytes(damaged)
    assert cache.get(REQUEST) is None
    cache.put(REQUEST, KEPT)
    assert cache.get(REQUEST) == Kept(["Yes", "."], Usage(120, 2, 20, price=0.0, cached=True))


def test_a_request_is_the_same_in_whatever_order_it_is_written(tmp_path):
    cache = AnswerCache(tmp_path)
    cache.put(REQUEST, KEPT)
    assert cache.get(dict(reversed(REQUEST.items()))) is not None
    assert cache.get({**REQUEST, "model": "tinier"}) is None


def test_text_of_every_kind_comes_back_as_it_was(tmp_path):
    cache, pieces = AnswerCache(tmp_path), ["ä\u2028", "\x00", "日本 🦉"]
    cache.put(REQUEST, Kept(pieces, Usage(1, 1)))
    assert cache.get(REQUEST).pieces == pieces


def test_those_that_were_not_asked_for_longest_make_room(tmp_path):
    cache = AnswerCache(tmp_path, most_bytes=1_000)
    for number in range(8):
        cache.put({"n": number}, Kept(["x" * 100], Usage(1, 1)))
        for path in files(tmp_path):  # as if each had been written a minute after the other
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 60))
        assert cache.get({"n": 0}) is not None, "it is asked for all the time"
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 1_000
    assert cache.get({"n": 7}) is not None
    assert cache.get({"n": 1}) is None


def test_what_a_killed_process_left_half_written_is_no_answer_and_is_cleared_away(tmp_path):
    cache = AnswerCache(tmp_path)
    cache.put(REQUEST, KEPT)
    (tmp_path / ".abc.json.01234567").write_text("half")
    assert cache.contents().answers == 1
    assert cache.clear().answers == 1
    assert files(tmp_path) == []


def test_what_is_not_the_caches_own_is_neither_counted_nor_removed(tmp_path):
    cache = AnswerCache(tmp_path)
    cache.put(REQUEST, KEPT)
    for folder in ("notes", "tmp", "folder.json"):
        (tmp_path / folder).mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    assert cache.contents().answers == cache.clear().answers == 1
    assert cache.contents().answers == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.json", "notes", "notes.txt", "tmp"]


def test_a_cache_that_cannot_be_cleared_is_an_error_in_words(tmp_path, monkeypatch):
    (tmp_path / "llm-cache").touch()
    monkeypatch.setenv("RAG_HOME", str(tmp_path))
    code, _, err = inside("cache", "clear")
    assert code == 2
    assert "cannot be removed (Not a directory); mend that, or remove the folder." in " ".join(err.split())


def test_a_folder_that_cannot_be_written_costs_the_cache_and_nothing_else(tmp_path, caplog):
    (tmp_path / "file").touch()
    cache = AnswerCache(tmp_path / "file" / "folder")
    cache.put(REQUEST, KEPT)
    assert "could not be kept" in caplog.text
    assert cache.get(REQUEST) is None


def test_threads_that_write_and_clear_at_once_never_see_half_an_answer(tmp_path):
    cache, seen, failed = AnswerCache(tmp_path, most_bytes=5_000), [], []

    def work(number: int) -> None:
        try:
            for turn in range(60):
                request = {"n": turn % 7}
                cache.put(request, Kept([f"{turn % 7} " * 50], Usage(1, 1)))
                if turn % 20 == number:
                    cache.clear()
                if found := cache.get(request):
                    seen.append((turn % 7, "".join(found.pieces)))
        except Exception as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert seen
    assert all(text == f"{number} " * 50 for number, text in seen)


def test_processes_share_it(tmp_path, python):
    script = (
        "import sys\nfrom pathlib import Path\nfrom rag.llm.cache import AnswerCache, Kept\nfrom rag.types import Usage\n"
        "cache = AnswerCache(Path(sys.argv[1]))\n"
        "for n in range(200):\n"
        "    cache.put({'n': n % 5}, Kept([f'{n % 5} ' * 500], Usage(1, 1)))\n"
        "    found = cache.get({'n': (n + 1) % 5})\n"
        "    assert found is None or ''.join(found.pieces) == f'{(n + 1) % 5} ' * 500\n"
    )
    running = [python(script, tmp_path) for _ in range(3)]
    for process in running:
        _, errors = process.communicate(timeout=300)
        assert (process.returncode, errors) == (0, "")
    assert AnswerCache(tmp_path).contents().answers == 5


# On the command line


def test_the_command_line_counts_and_clears_it(tmp_path, monkeypatch, model):
    monkeypatch.setenv("RAG_HOME", str(tmp_path / "home"))
    assert inside("cache").out == f"0 answers, 0 kB, in {tmp_path / 'home'}; it is switched off (RAG_LLM_CACHE)\n"
    monkeypatch.delenv("RAG_LLM_CACHE")
    with ChatServer("Yes.") as chat:
        complete(model(chat), MESSAGES)
    assert inside("cache").out.startswith("1 answer, 0 kB, in ")
    assert inside("cache", "clear").out == "1 answer removed.\n"
    assert inside("cache", "clear").out == "0 answers removed.\n"
    assert files(tmp_path) == []
