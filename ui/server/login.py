"""Logging in and out: which browser is whose, how often a password may be tried, and whose conversations one sees."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import logging
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.requests import cookie_parser  # lenient, as browsers are, and what Gradio's requests are read with
from starlette.responses import HTMLResponse, RedirectResponse, Response

from rag import Busy, SettingsError, Turnstile
from ui.html.escaping import element, escape
from ui.server.accounts import check_password, read_accounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import gradio as gr
    from fastapi import FastAPI
    from limits import RateLimitItem
    from starlette.requests import HTTPConnection, Request

_COOKIE = "footnote_login"
_LASTS_S = 14 * 24 * 3600
_LONGEST_FORM = 8192  # bytes
_AT_ONCE, _WAITING = 2, 16  # a try costs time and memory on purpose
_FROM_ADDRESS, _FOR_NAME = 10, 30  # wrong passwords in a minute
_WRONG = "This name and password do not belong together."
_OWNER_COOKIE = "footnote_owner"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")  # 256 bits
_KEPT_S = 400 * 24 * 3600  # as long as browsers allow
_TOO_OFTEN = "Too many tries. Wait a minute, then try again."

# It stands alone, and loads nothing before somebody is known.
_PAGE = Path(__file__).with_name("login_page.html")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Session:
    """Who has logged in with which line of the users' file, and until when that holds (seconds since the epoch)."""

    name: str
    line: str
    until: float


class Login:
    """The users of a file and their sessions, which end with the process, after two weeks, or with their line.

    Args:
        on_leaving: Called with the cookie of a browser that has logged out, or whose time is over.
    """

    def __init__(self, users: Path, on_leaving: Callable[[str], None]) -> None:
        self._users, self._on_leaving = users, on_leaving
        self._read_at: tuple[int, ...] = ()
        self._accounts: Mapping[str, str] = {}
        self._sessions: dict[str, _Session] = {}
        self._tries = _Tries()
        self._turnstile = Turnstile(_AT_ONCE, _WAITING)

    def user(self, request: HTTPConnection) -> str | None:
        """Who asks; None for one who has not logged in, was removed, or has another password since."""
        session = self._sessions.get(request.cookies.get(_COOKIE, ""))
        if session is None or session.until < time.time():
            return None
        return session.name if self._known().get(session.name) == session.line else None

    def serve(self, app: FastAPI) -> None:
        """Adds /login and /logout."""
        app.add_route("/login", self._page, ["GET"])
        app.add_route("/login", self._enter, ["POST"])
        app.add_route("/logout", self._leave, ["POST"])

    async def _page(self, _: Request) -> Response:
        return _respond("", 200)

    async def _enter(self, request: Request) -> Response:
        name, password = await _filled_in(request)
        address = request.client.host if request.client else ""
        try:
            self._tries.check(address, name)  # before others wait for it
            async with self._turnstile.passed():
                self._tries.check(address, name)
                accounts = self._known()
                is_right = await asyncio.to_thread(check_password, accounts, name, password)
        except Busy:
            _logger.warning("A login from %s was refused: too many tries", address)
            return _respond(_TOO_OFTEN, 429)
        if not is_right:
            self._tries.count(address, name)
            # A name that nobody has may be a password that was typed into the wrong box.
            _logger.warning("A login from %s failed: %s", address, name if name in accounts else "an unknown name")
            return _respond(_WRONG, 401)
        entered = RedirectResponse("./", 303) if _is_a_form(request) else Response()
        entered.set_cookie(
            _COOKIE, self._opened(name, accounts[name]), max_age=_LASTS_S, httponly=True, samesite="lax",
            secure=request.url.scheme == "https",
        )  # fmt: skip
        return entered

    async def _leave(self, request: Request) -> Response:
        self._end(request.cookies.get(_COOKIE, ""))
        left = RedirectResponse("login", 303)
        left.delete_cookie(_COOKIE)
        return left

    def _opened(self, name: str, line: str) -> str:
        now = time.time()
        for over in [token for token, kept in self._sessions.items() if kept.until <= now]:
            self._end(over)
        token = secrets.token_urlsafe(32)
        self._sessions[token] = _Session(name, line, now + _LASTS_S)
        return token

    def _end(self, token: str) -> None:
        if self._sessions.pop(token, None):
            self._on_leaving(token)

    def _known(self) -> Mapping[str, str]:
        """The accounts as the file has them now; nobody's while it cannot be read, which the log says once."""
        if (changed := _changed(self._users)) != self._read_at:
            self._read_at, self._accounts = changed, {}
            try:
                self._accounts = read_accounts(self._users)
            except SettingsError as error:
                _logger.error("Nobody can log in: %s", error)
            else:
                if not self._accounts:
                    _logger.error("Nobody can log in: %s has no user", self._users)
        return self._accounts


class _Tries:
    """Wrong passwords lately, from an address and for a name."""

    def __init__(self) -> None:
        from limits import RateLimitItemPerMinute
        from limits.storage import MemoryStorage
        from limits.strategies import MovingWindowRateLimiter

        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._limits = RateLimitItemPerMinute(_FROM_ADDRESS), RateLimitItemPerMinute(_FOR_NAME)

    def check(self, address: str, name: str) -> None:
        """Makes sure that there were few.

        Raises:
            Busy: There were too many.
        """
        if not all(self._limiter.test(limit, key) for limit, key in self._keys(address, name)):
            raise Busy

    def count(self, address: str, name: str) -> None:
        """Counts another one."""
        for limit, key in self._keys(address, name):
            self._limiter.hit(limit, key)

    def _keys(self, address: str, name: str) -> Iterator[tuple[RateLimitItem, str]]:
        # Of names, also of those that nobody has, only a digest: it may be a password in the wrong box.
        keys = f"from {_find_network(address)}", f"for {_digest('name', name)}"
        return zip(self._limits, keys, strict=True)


def _find_network(address: str) -> str:
    """The address, or of one of IPv6 the network, all of whose addresses one person has."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(known if known.version == 4 else ipaddress.ip_network((known, 64), strict=False))


def _changed(path: Path) -> tuple[int, ...]:
    """What is another once the file is written, or its permissions are changed, or it is gone."""
    try:
        there = path.stat()
    except OSError as error:
        return (error.errno or 0,)
    return there.st_mtime_ns, there.st_ctime_ns, there.st_ino


def _respond(error: str, status: int) -> Response:
    """The page that asks for name and password; `error` says why the last try did not succeed."""
    alert = element("p", escape(error), role="alert") if error else ""
    page = _PAGE.read_text(encoding="utf-8").replace("<!-- error -->", alert)
    return HTMLResponse(page, status, {"cache-control": "no-store"})


def _is_a_form(request: Request) -> bool:
    """Whether a browser sent it; gradio_client wants no redirection."""
    return "text/html" in request.headers.get("accept", "")


async def _filled_in(request: Request) -> tuple[str, str]:
    """Name and password as forms send them; empty where the body is too long to be one."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LONGEST_FORM:
            return "", ""
    form = parse_qs(body.decode("utf-8", "replace"))
    return form.get("username", [""])[0].strip(), form.get("password", [""])[0]


def draw_user(name: str) -> str:
    """The user's name and the way out, for the header of the chat's page."""
    way_out = element("form", element("button", "Log out", "fn-tool"), method="post", action="logout")
    return element("div", element("p", "Logged in as " + element("strong", escape(name))) + way_out, "fn-user")


def identify_owner(request: gr.Request) -> str:
    """A digest: who reads the file of conversations cannot pass for their owners."""
    if request.username:
        return _digest("user", request.username)
    token = request.cookies.get(_OWNER_COOKIE, "")
    # A browser that keeps no cookies has its conversations for as long as its tab.
    return _digest("token", token) if _TOKEN.fullmatch(token) else _digest("session", str(request.session_hash))


def identify_browser(request: HTTPConnection) -> str:
    """What only this browser has: the cookie of its login, or of its conversations; empty where it keeps no cookies."""
    return request.cookies.get(_COOKIE, "") or request.cookies.get(_OWNER_COOKIE, "")


def make_owner_cookie(header: str) -> str | None:
    """The Set-Cookie header for a browser whose Cookie header this is; None where it has a token already."""
    if _TOKEN.fullmatch(cookie_parser(header).get(_OWNER_COOKIE, "")):
        return None
    token = secrets.token_urlsafe(32)
    # Scripts of the page never see it. Lax: a link from elsewhere opens the page with its conversations.
    return f"{_OWNER_COOKIE}={token}; Path=/; Max-Age={_KEPT_S}; HttpOnly; SameSite=Lax"


def _digest(kind: str, name: str) -> str:
    return hashlib.sha256(f"{kind}:{name}".encode()).hexdigest()
