"""Whose conversations a browser may see: told by a cookie that survives its neighbours."""

from __future__ import annotations

import pytest
from starlette.requests import cookie_parser

from ui.server.login import make_owner_cookie

TOKEN = "A" * 43


@pytest.mark.parametrize(
    "neighbours", ['x={"a":1}; {}', "theme; {}", "a[b]=1; {}; z=1", "{}", 'q="a;b"; {}', "=; {}", "{}; footnote=1"]
)
def test_a_token_is_kept_whatever_other_programs_of_this_machine_set(neighbours: str) -> None:
    header = neighbours.replace("{}", f"footnote_owner={TOKEN}")
    assert make_owner_cookie(header) is None
    assert cookie_parser(header)["footnote_owner"] == TOKEN


@pytest.mark.parametrize(
    "header", ["", "footnote_owner=", "footnote_owner=short", f"other={TOKEN}", f"footnote_owner={TOKEN}!"]
)
def test_who_has_none_gets_one_that_nobody_can_guess_and_no_script_can_read(header: str) -> None:
    one, other = make_owner_cookie(header), make_owner_cookie(header)
    assert one
    assert one != other
    assert "HttpOnly" in one
    assert "SameSite=Lax" in one
    assert make_owner_cookie(one.partition(";")[0]) is None
