"""Conversations on disk: for their owner alone, whole after a kill, gone when deleted."""

from __future__ import annotations

import sqlite3
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from rag import Answer, Citation, Filter, Outcome, Passage, RagError
from tests.conftest import Python
from tests.ui.conftest import paper
from ui.conversations.conversation import Exchange, State
from ui.conversations.history import History

ABSTRACT = "Worlds are hard. We model 41 % of them."
ME, OTHER = "a" * 64, "b" * 64


def answered(question: str, text: str = "Worlds are hard. [1]") -> Exchange:
    world = paper("World models", ABSTRACT, "a.txt", 12)
    answer = Answer(
        question,
        question,
        text,
        Outcome.ANSWERED,
        (Citation(1, world, ABSTRACT[:16], 0, 16),),
        (Passage(world, 1.0, 0, 16),),
    )
    return Exchange(question, state=State.DONE, text=text, answer=answer)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "home")


def test_an_answer_comes_back_with_its_evidence(history: History, tmp_path: Path) -> None:
    exchange = replace(
        answered("What?"), scope=Filter(sources=("a.txt",), years=(2020, 2021)), liked=False, reason="no"
    )
    conversation = history.add(ME, None, exchange)
    again = History(tmp_path / "home").read_exchanges(ME, conversation)
    assert again == [exchange]
    assert again[0].id is not None


def test_nobody_else_finds_changes_or_deletes_it(history: History) -> None:
    exchange = answered("What?")
    conversation = history.add(ME, None, exchange)
    assert history.find_conversations(OTHER) == []
    assert history.read_exchanges(OTHER, conversation) == []
    assert history.read_states(OTHER, conversation) == []
    assert history.read_title(OTHER, conversation) == ""
    history.rename(OTHER, conversation, "mine now")
    history.save(OTHER, replace(exchange, text="forged"))
    history.remove(OTHER, exchange)
    history.delete(OTHER, conversation)
    assert history.branch(OTHER, conversation, before=99) is None
    with pytest.raises(RagError, match="no such conversation"):
        history.add(OTHER, conversation, answered("Intruding?"))
    assert history.read_exchanges(ME, conversation) == [exchange]
    assert history.read_title(ME, conversation) == "What?"


def test_two_tabs_add_to_a_conversation_and_both_are_kept(history: History) -> None:
    conversation = history.add(ME, None, answered("One?"))
    threads = [
        threading.Thread(target=lambda n=n: history.add(ME, conversation, answered(f"From tab {n}?"))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = [exchange.question for exchange in history.read_exchanges(ME, conversation)]
    assert sorted(kept[1:]) == [f"From tab {n}?" for n in range(8)]
    assert [state for _, state in history.read_states(ME, conversation)] == [State.DONE] * 9


def test_the_list_is_newest_first_searchable_and_bears_titles(history: History) -> None:
    first = history.add(ME, None, answered("What are world models?"))
    second = history.add(ME, None, answered("  Which\nrobots   walk? " + "x" * 300, text="100 % of_them [1]"))
    assert [one.id for one in history.find_conversations(ME)] == [second, first]
    history.add(ME, first, answered("And dreams?"))
    assert [one.id for one in history.find_conversations(ME)] == [first, second]
    title = history.find_conversations(ME)[1].title
    assert title.startswith("Which robots walk? xxx")
    assert len(title) == 120
    history.rename(ME, second, "  Robots ")
    history.rename(ME, second, "   ")
    assert history.read_title(ME, second) == "Robots"
    for search, found in {
        "DREAMS": [first], "robots": [second], "robots dreams": [], "": [first, second], "100 % of_": [second],
        "0_%": [], "%": [second], "hard world": [first],
    }.items():  # fmt: skip
        assert [one.id for one in history.find_conversations(ME, search)] == found, search


def test_what_is_deleted_is_in_none_of_the_files(history: History, tmp_path: Path) -> None:
    words = "the zebrafish protocol"
    conversation = history.add(ME, None, answered(f"What is {words}?", text=words))
    kept = history.add(ME, None, answered("Kept?"))

    def on_disk() -> bool:
        return any(words.encode() in path.read_bytes() for path in (tmp_path / "home").iterdir())

    assert on_disk()
    history.delete(ME, conversation)
    assert not on_disk()
    assert [one.id for one in history.find_conversations(ME)] == [kept]
    assert history.read_exchanges(ME, conversation) == []
    history.save(ME, answered("late"))  # of an answer that was still being written
    assert history.read_exchanges(ME, conversation) == []


def test_a_branch_leaves_the_conversation_as_it_was(history: History) -> None:
    exchanges = [answered("One?"), answered("Two?"), answered("Three?")]
    conversation = None
    for exchange in exchanges:
        conversation = history.add(ME, conversation, exchange)
    assert conversation
    assert history.branch(ME, conversation, before=exchanges[0].id or 0) is None
    copy = history.branch(ME, conversation, before=exchanges[2].id or 0)
    assert copy not in (None, conversation)
    assert [each.question for each in history.read_exchanges(ME, str(copy))] == ["One?", "Two?"]
    assert [each.question for each in history.read_exchanges(ME, conversation)] == ["One?", "Two?", "Three?"]
    assert [one.title for one in history.find_conversations(ME)] == ["One? (copy)", "One?"]


def test_the_title_is_that_of_the_first_question_unless_it_was_given_another(history: History) -> None:
    first = answered("One?")
    conversation = history.add(ME, None, first)
    history.remove(ME, first)
    history.add(ME, conversation, answered("Another?"))
    history.add(ME, conversation, answered("And this?"))
    assert history.read_title(ME, conversation) == "Another?"
    history.rename(ME, conversation, "Mine")
    for exchange in history.read_exchanges(ME, conversation):
        history.remove(ME, exchange)
    history.add(ME, conversation, answered("Last?"))
    assert history.read_title(ME, conversation) == "Mine"


def test_half_characters_and_endless_searches_do_no_harm(history: History) -> None:
    conversation = history.add(ME, None, Exchange("What is \ud800?"))
    assert history.read_title(ME, conversation) == "What is ??"
    assert history.find_conversations(ME, "\ud800 " + "word " * 5_000 + "w" * 100_000) == []


def test_an_answer_that_a_killed_server_left_is_marked_as_cut(tmp_path: Path, python: Python) -> None:
    code = """
import sys, time
from pathlib import Path
from ui.conversations.conversation import Exchange
from ui.conversations.history import History
history = History(Path(sys.argv[1]))
exchange = Exchange("What?")
conversation = history.add("me", None, exchange)
exchange.text = "Worlds are"
history.save("me", exchange)
print(conversation, flush=True)
time.sleep(60)
"""
    process = python(code, tmp_path)
    assert process.stdout
    conversation = process.stdout.readline().strip()
    process.kill()
    process.wait()
    [exchange] = History(tmp_path).read_exchanges("me", conversation)
    assert (exchange.state, exchange.text, exchange.question) == (State.CUT, "Worlds are", "What?")


def test_only_its_owner_may_read_the_file(history: History, tmp_path: Path) -> None:
    for path in (tmp_path / "home").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@pytest.mark.parametrize("content", [b"no database at all, but text" * 100, None])
def test_a_file_that_is_none_of_ours_is_a_clear_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "conversations.sqlite3"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(RagError, match=r"conversations\.sqlite3 cannot be read or written"):
        History(tmp_path)


def test_an_answer_of_a_later_version_leaves_its_text(history: History, tmp_path: Path) -> None:
    conversation = history.add(ME, None, answered("What?"))
    with sqlite3.connect(tmp_path / "home" / "conversations.sqlite3") as connection:
        connection.execute("UPDATE exchange SET seal = NULL, answer = '{\"version\": 9}'")
    connection.close()
    [exchange] = history.read_exchanges(ME, conversation)
    assert exchange.answer is None
    assert exchange.text == "Worlds are hard. [1]"
    assert "no answer as Footnote writes it" in exchange.error


def test_a_file_of_another_version_is_left_as_it_is(history: History, tmp_path: Path) -> None:
    path = tmp_path / "home" / "conversations.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    with pytest.raises(RagError, match="of another version of Footnote"):
        History(tmp_path / "home")


def test_one_who_asks_without_end_is_told_to_delete(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.conversations.history._MOST_CONVERSATIONS", 2)
    monkeypatch.setattr("ui.conversations.history._MOST_EXCHANGES", 3)
    first, _ = history.add(ME, None, answered("one")), history.add(ME, None, answered("two"))
    with pytest.raises(RagError, match=r"You have 2 conversations, .* delete some"):
        history.add(ME, None, answered("three"))
    history.add(OTHER, None, answered("of another"))
    for question in ("again", "and again"):
        history.add(ME, first, answered(question))
    with pytest.raises(RagError, match=r"This conversation has 3 questions, .* start a new one"):
        history.add(ME, first, answered("and again"))
    assert len(history.read_exchanges(ME, first)) == 3
    history.delete(ME, first)
    history.add(ME, None, answered("three"))


def test_a_byte_that_was_changed_on_the_disk_is_noticed(history: History, tmp_path: Path) -> None:
    conversation = history.add(ME, None, answered("What?", "Worlds are hard. [1]"))
    history.add(ME, conversation, answered("Why?"))
    with sqlite3.connect(tmp_path / "home" / "conversations.sqlite3") as connection:
        connection.execute("UPDATE exchange SET text = replace(text, 'hard', 'herd') WHERE question = 'What?'")
        connection.execute("UPDATE exchange SET state = 'dome' WHERE question = 'Why?'")
    connection.close()
    damaged, other = history.read_exchanges(ME, conversation)
    assert (damaged.state, damaged.text, damaged.answer) == (State.FAILED, "", None)
    assert "damaged on the disk" in damaged.error
    assert other.state is State.FAILED
    assert [state for _, state in history.read_states(ME, conversation)] == [State.DONE, State.FAILED]


def test_conversations_of_an_earlier_version_have_no_seals_and_open(history: History, tmp_path: Path) -> None:
    exchange = answered("What?")
    conversation = history.add(ME, None, exchange)
    with sqlite3.connect(tmp_path / "home" / "conversations.sqlite3") as connection:
        connection.execute("ALTER TABLE exchange DROP COLUMN seal")
    connection.close()
    again = History(tmp_path / "home")
    assert again.read_exchanges(ME, conversation) == [exchange]
    again.save(ME, exchange)
    again.add(ME, conversation, answered("Why?"))
    assert [each.question for each in again.read_exchanges(ME, conversation)] == ["What?", "Why?"]
