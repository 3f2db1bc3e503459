"""Two users of one server: nobody sees anything without a login, nor what is another's, nor after it has ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.ui.conftest import QUESTION, WIDE, SeedAssistant, served
from ui.server.accounts import hash_password, read_accounts, write_accounts

NAMES = ("alice", "bob")
LogIn = Callable[..., httpx.Client]


def password(name: str) -> str:
    return f"{name} has a password"


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users"
    write_accounts(path, {name: hash_password(password(name)) for name in NAMES})
    return path


@pytest.fixture
def address(assistant: SeedAssistant, users: Path) -> Iterator[str]:
    with served(assistant, users=users) as address:
        yield address


@pytest.fixture
def log_in(address: str) -> Iterator[LogIn]:
    clients: list[httpx.Client] = []

    def enter(name: str) -> httpx.Client:
        clients.append(httpx.Client(base_url=address, timeout=120))
        entered = clients[-1].post("/login", data={"username": name, "password": password(name)})
        assert entered.status_code == 200
        return clients[-1]

    yield enter
    for client in clients:
        client.close()


def is_in(client: httpx.Client) -> bool:
    status = client.get("/config").status_code
    assert status in (200, 401)
    return status == 200


@pytest.mark.parametrize(
    "path",
    ["config", "gradio_api/info", "gradio_api/queue/data?session_hash=a", "gradio_api/queue/join", "gradio_api/call/ask",
     "gradio_api/call/ask/1", "gradio_api/component_server", "gradio_api/run/predict", "gradio_api/cancel",
     "gradio_api/heartbeat/a", "theme.css", "assets/index.js", "gradio_api/file=/etc/hostname"],
)  # fmt: skip
def test_nothing_is_served_without_a_login(address: str, path: str) -> None:
    forged = {"footnote_login": "A" * 43, "access-token-unsecure": "A"}
    for cookies in ({}, forged):
        assert httpx.get(f"{address}/{path}", cookies=cookies).status_code in (401, 404)
        assert httpx.post(f"{address}/{path}", cookies=cookies, json={}).status_code in (401, 404)
    start = httpx.get(address)
    assert (start.status_code, start.headers["location"]) == (303, "login")
    assert "Footnote" in httpx.get(f"{address}/login").text


def test_who_is_removed_or_has_another_password_is_out_at_once(users: Path, log_in: LogIn) -> None:
    alice, bob = log_in("alice"), log_in("bob")
    assert is_in(alice)
    accounts = read_accounts(users)
    write_accounts(users, accounts | {"alice": hash_password("another password")})
    assert not is_in(alice)
    assert is_in(bob)
    write_accounts(users, {"alice": accounts["alice"]})
    assert not is_in(bob)


def test_a_broken_file_lets_nobody_in_and_the_log_says_why(
    users: Path, log_in: LogIn, caplog: pytest.LogCaptureFixture
) -> None:
    alice = log_in("alice")
    whole = users.read_text()
    users.write_text(f"{whole}nonsense\n")
    assert not is_in(alice)
    assert alice.post("/login", data={"username": "alice", "password": password("alice")}).status_code == 401
    assert f"{users}:3: this is no line" in caplog.text
    users.unlink()
    assert not is_in(alice)
    users.write_text(whole)
    users.chmod(0o600)
    assert is_in(alice)


def test_tries_are_few_and_logged_without_what_was_typed(
    address: str, log_in: LogIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    alice = log_in("alice")
    tries = [("alice", "guessed-words"), ("guessed-words", "x")] * 6
    status = [httpx.post(f"{address}/login", data={"username": n, "password": p}).status_code for n, p in tries]
    assert status == [401] * 10 + [429] * 2
    right = httpx.post(f"{address}/login", data={"username": "bob", "password": password("bob")})
    assert right.status_code == 429
    assert is_in(alice), "who is in stays in"
    assert "A login from 127.0.0.1 failed: alice" in caplog.text
    assert "refused: too many tries" in caplog.text
    assert "guessed-words" not in caplog.text


def try_to_enter(address: str, name: str, typed: str, said_to_be: str) -> int:
    form = {"username": name, "password": typed}
    return httpx.post(f"{address}/login", data=form, headers={"X-Forwarded-For": said_to_be}, timeout=120).status_code


def test_nobody_is_believed_to_be_another_machine(address: str) -> None:
    status = [try_to_enter(address, "alice", "guess", f"192.0.2.{number}") for number in range(12)]
    assert status == [401] * 10 + [429] * 2


def test_behind_a_proxy_that_is_named_tries_count_by_address_and_by_name(assistant: SeedAssistant, users: Path) -> None:
    with served(assistant, users=users, proxies=["127.0.0.1"]) as address:
        flood = [try_to_enter(address, "alice", "guess", "192.0.2.1") for _ in range(12)]
        assert flood == [401] * 10 + [429] * 2
        for name in NAMES:
            assert try_to_enter(address, name, password(name), "192.0.2.2") == 200, "others are not kept out"
        networks = [f"2001:db8:0:{number:x}::{tries}" for number in range(1, 4) for tries in range(8)]
        assert [try_to_enter(address, "alice", "guess", each) for each in networks] == [401] * 20 + [429] * 4
        assert try_to_enter(address, "bob", password("bob"), networks[0]) == 200
        assert [try_to_enter(address, "bob", "guess", "2001:db8::1") for _ in range(6)] == [401] * 6
        assert try_to_enter(address, "bob", "guess", "2001:db8::2") == 401
        assert [try_to_enter(address, "bob", "guess", f"2001:db8::{n}") for n in range(3, 7)] == [401] * 3 + [429]


def test_other_pages_can_neither_log_in_nor_out(address: str, log_in: LogIn) -> None:
    alice = log_in("alice")
    elsewhere = {"Origin": "http://evil.example"}
    form = {"username": "bob", "password": password("bob")}
    assert alice.post("/login", data=form, headers=elsewhere).status_code == 403
    assert alice.post("/logout", headers=elsewhere).status_code == 403
    assert alice.get("/logout").status_code == 404
    assert is_in(alice)
    kept = dict(alice.cookies)
    assert alice.post("/logout").status_code == 303
    assert httpx.get(f"{address}/config", cookies=kept).status_code == 401, "the session itself has ended"


def test_a_form_too_long_is_no_login(address: str) -> None:
    assert httpx.post(f"{address}/login", content=b"username=alice&password=" + b"a" * 100_000).status_code == 401


# In the browser.


@pytest.fixture
def enter(browser: Browser, address: str) -> Iterator[Callable[[str], Page]]:
    contexts = []

    def through_the_door(name: str) -> Page:
        contexts.append(browser.new_context(viewport=WIDE, reduced_motion="reduce"))
        page = contexts[-1].new_page()
        page.goto(address)
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(password(name))
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_text(f"Logged in as {name}")).to_be_visible()
        expect(page.get_by_role("button", name=QUESTION, exact=True)).to_be_visible()
        return page

    yield through_the_door
    for context in contexts:
        context.close()


@pytest.mark.browser
def test_nobody_lists_opens_renames_deletes_or_searches_what_is_anothers(
    enter: Callable[[str], Page], address: str
) -> None:
    alice, bob = enter("alice"), enter("bob")
    alice.get_by_role("button", name=QUESTION, exact=True).click()
    kept = alice.get_by_role("navigation", name="Your conversations").get_by_role("listitem")
    expect(kept).to_have_count(1)
    expect(alice.get_by_role("log").get_by_role("button", name="Copy", exact=True)).to_have_count(1)
    key = kept.locator("[data-open]").get_attribute("data-open")
    bob.get_by_placeholder("Search").fill("objective")
    expect(bob.get_by_text("No conversation has these words.")).to_be_visible()
    bob.get_by_placeholder("Search").fill("")
    bob.get_by_role("button", name=QUESTION, exact=True).click()
    own = bob.get_by_role("navigation", name="Your conversations").get_by_role("listitem")
    expect(own).to_have_count(1)
    expect(bob.get_by_role("log").get_by_role("button", name="Copy", exact=True)).to_have_count(1)
    bob.get_by_role("button", name="New conversation").click()
    expect(bob.get_by_role("log").get_by_role("button", name="Copy", exact=True)).to_have_count(0)
    # Bob's own button, with the key of Alice's conversation.
    opener = own.locator("[data-open]")
    opener.evaluate("(button, key) => { button.dataset.open = key; button.click(); }", key)
    bob.wait_for_timeout(1000)
    expect(bob.get_by_role("log").get_by_role("button", name="Copy", exact=True)).to_have_count(0)
    bob.goto(f"{address}/?c={key}")
    opener.click()
    expect(bob.get_by_role("log").get_by_role("button", name="Copy", exact=True)).to_have_count(1)
    bob.on("dialog", lambda dialog: dialog.accept("Taken by Bob") if dialog.type == "prompt" else dialog.accept())
    for attribute in ("rename", "delete"):
        forged = own.locator(f"[data-{attribute}]")
        forged.evaluate("(button, [name, key]) => { button.dataset[name] = key; button.click(); }", [attribute, key])
        bob.wait_for_timeout(1000)
    alice.reload()
    expect(kept).to_have_count(1)
    expect(kept).to_contain_text("What is objective mismatch")


@pytest.mark.browser
def test_logging_out_ends_at_the_door(enter: Callable[[str], Page], address: str) -> None:
    alice = enter("alice")
    alice.get_by_role("button", name="Log out").click()
    expect(alice.get_by_role("button", name="Log in")).to_be_visible()
    alice.goto(address)
    expect(alice.get_by_label("Password")).to_be_visible()
