"""The file of users, and the commands that write it."""

from __future__ import annotations

import base64
import hashlib
import time
from pathlib import Path

import pytest

from rag import SettingsError
from tests.command import footnote
from ui.server.accounts import check_name, check_password, hash_password, read_accounts, write_accounts

PASSWORD = "correct horse battery"  # noqa: S105


@pytest.fixture
def users(tmp_path: Path) -> Path:
    return tmp_path / "footnote" / "users"


def test_a_user_enters_with_the_password_and_with_no_other() -> None:
    accounts = {"alice": hash_password(PASSWORD), "bob": hash_password(PASSWORD)}
    assert check_password(accounts, "alice", PASSWORD)
    for name, password in (
        ("alice", PASSWORD[:-1]),
        ("alice", ""),
        ("carol", PASSWORD),
        ("", ""),
        ("alice", "x" * 2000),
    ):
        assert not check_password(accounts, name, password)
    assert accounts["alice"] != accounts["bob"], "each has a salt of its own"
    assert PASSWORD not in accounts["alice"]


def test_a_password_is_kept_as_argon2id_and_one_of_an_earlier_version_still_enters() -> None:
    assert hash_password(PASSWORD).startswith("$argon2id$")
    salt, digest = (
        b"0123456789abcdef",
        hashlib.scrypt(PASSWORD.encode(), salt=b"0123456789abcdef", n=2**15, r=8, p=1, maxmem=256_000_000),
    )
    parts = (base64.b64encode(each).decode() for each in (salt, digest))
    accounts = {"alice": "$".join(("scrypt", "15", "8", "1", *parts))}
    assert check_password(accounts, "alice", PASSWORD)
    assert not check_password(accounts, "alice", PASSWORD + "x")


def test_a_user_there_is_none_of_takes_as_long() -> None:
    accounts = {"alice": hash_password(PASSWORD)}

    def least_s(name: str) -> float:
        def once() -> float:
            started = time.thread_time()
            check_password(accounts, name, "wrong password")
            return time.thread_time() - started

        return min(once() for _ in range(3))

    assert 0.5 < least_s("nobody") / least_s("alice") < 2


def test_what_is_written_is_read_and_for_its_owner_alone(users: Path) -> None:
    accounts = {"bob@example.org": hash_password(PASSWORD), "alice": hash_password(PASSWORD)}
    write_accounts(users, accounts)
    assert read_accounts(users) == accounts
    assert users.stat().st_mode & 0o777 == 0o600
    assert list(users.parent.iterdir()) == [users]


def test_a_file_that_others_can_read_is_refused(users: Path) -> None:
    write_accounts(users, {"alice": hash_password(PASSWORD)})
    users.chmod(0o640)
    with pytest.raises(SettingsError, match=r"others than its owner can read or write .*chmod 600"):
        read_accounts(users)


@pytest.mark.parametrize(
    "line",
    [
        "alice",
        "alice:secret",
        "alice:scrypt$99$8$1$AAAA$BBBB",
        "alice:$argon2id$v=19$m=9999999,t=3,p=4$" + "A" * 22 + "$" + "A" * 43,
        ":x",
        "a b:x",
        "\x00",
    ],
)
def test_a_broken_line_is_named_and_its_text_is_not(users: Path, line: str) -> None:
    write_accounts(users, {"alice": hash_password(PASSWORD)})
    users.write_text(f"{users.read_text()}# a remark\n\n{line}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"users:4: this is no line of `footnote user add`") as error:
        read_accounts(users)
    assert "secret" not in str(error.value)


def test_a_file_of_other_bytes_is_an_error_of_ours(users: Path) -> None:
    write_accounts(users, {})
    users.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="the users cannot be read"):
        read_accounts(users)


@pytest.mark.parametrize("name", ["", " alice", "al ice", "a:b", "../x", "-x", "a" * 65, "é", "a\n", "#a"])
def test_names_that_would_break_the_file_are_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="is no user name"):
        check_name(name)


@pytest.mark.slow
def test_users_are_added_listed_and_removed_on_the_command_line(users: Path) -> None:
    file = ("--file", str(users))
    added = footnote("user", "add", "alice", *file, stdin=f"{PASSWORD}\n".encode())
    assert added.code == 0, added.err
    assert f"Set RAG_UI_AUTH={users}" in added.out
    assert PASSWORD not in added.out + added.err + users.read_text()
    assert check_password(read_accounts(users), "alice", PASSWORD)
    again = footnote("user", "add", "alice", stdin=b"another password\r\n", RAG_UI_AUTH=str(users))
    assert "alice has another password" in again.out
    assert check_password(read_accounts(users), "alice", "another password")
    assert not check_password(read_accounts(users), "alice", PASSWORD)
    assert footnote("user", "list", *file).out == "alice\n"
    gone = footnote("user", "remove", "bob", *file)
    assert (gone.code, "there is no user 'bob'" in gone.err) == (2, True)
    assert footnote("user", "remove", "alice", *file).code == 0
    assert footnote("user", "list", *file).out == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "password", "says"),
    [("alice", b"short\n", "a password has 10 to"), ("alice", b"", "a password has 10 to"),
     ("a:b", b"long enough it is\n", "is no user name")],
)  # fmt: skip
def test_what_cannot_be_added_changes_nothing(users: Path, name: str, password: bytes, says: str) -> None:
    said = footnote("user", "add", name, "--file", str(users), stdin=password)
    assert said.code == 2
    assert says in said.err
    assert not users.exists()


@pytest.mark.slow
def test_other_machines_are_not_served_without_users(users: Path) -> None:
    said = footnote("ui", "--host", "0.0.0.0", "--port", "47861")  # noqa: S104
    assert (said.code, said.out) == (2, "")
    assert "`footnote user add NAME --file FILE`" in said.err
    write_accounts(users, {})
    said = footnote("ui", "--host", "0.0.0.0", "--port", "47861", RAG_UI_AUTH=str(users))  # noqa: S104
    assert (said.code, said.out) == (2, "")
    assert "there is no user in it" in said.err
