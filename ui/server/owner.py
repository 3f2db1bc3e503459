"""Whose conversations a request may see: those of the user who is logged in, or of the browser that holds a token."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import TYPE_CHECKING

from starlette.requests import cookie_parser  # lenient, as browsers are, and what Gradio's requests are read with

if TYPE_CHECKING:
    import gradio as gr

_COOKIE = "footnote_owner"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")  # 256 bits
_KEPT_S = 400 * 24 * 3600  # as long as browsers allow


def identify_owner(request: gr.Request) -> str:
    """A digest: who reads the file of conversations cannot pass for their owners."""
    if request.username:
        return _digest("user", request.username)
    token = request.cookies.get(_COOKIE, "")
    # A browser that keeps no cookies has its conversations for as long as its tab.
    return _digest("token", token) if _TOKEN.fullmatch(token) else _digest("session", str(request.session_hash))


def make_owner_cookie(header: str) -> str | None:
    """The Set-Cookie header for a browser whose Cookie header this is; None where it has a token already."""
    if _TOKEN.fullmatch(cookie_parser(header).get(_COOKIE, "")):
        return None
    token = secrets.token_urlsafe(32)
    # Scripts of the page never see it. Lax: a link from elsewhere opens the page with its conversations.
    return f"{_COOKIE}={token}; Path=/; Max-Age={_KEPT_S}; HttpOnly; SameSite=Lax"


def _digest(kind: str, name: str) -> str:
    return hashlib.sha256(f"{kind}:{name}".encode()).hexdigest()
