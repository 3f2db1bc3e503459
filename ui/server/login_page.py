"""The page that asks for name and password: it stands alone, and loads nothing before somebody is known."""

from __future__ import annotations

from ui.html.escaping import element, escape

_STYLE = """
:root {
  color-scheme: light dark; --page: #fcfbf9; --text: #1c2430; --line: #767d88; --accent: #1f4fa3; --error: #a3271f;
}
@media (prefers-color-scheme: dark) {
  :root { --page: #14181f; --text: #e8eaee; --line: #8b93a0; --accent: #8fb4f5; --error: #f59a92; }
}
body { margin: 0; color: var(--text); background: var(--page); font: 16px/1.5 system-ui, sans-serif; }
main { box-sizing: border-box; max-width: 360px; margin: 12vh auto 0; padding: 0 20px; }
h1 { margin: 0; font: 600 28px/1.3 Georgia, serif; }
form { display: grid; gap: 16px; margin-top: 24px; }
label { display: grid; gap: 4px; font-size: 14.5px; }
input, button { padding: 9px 12px; border: 1px solid var(--line); border-radius: 8px; font: inherit; }
input { color: inherit; background: transparent; }
button { color: var(--page); background: var(--accent); border-color: transparent; font-weight: 600; cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
[role="alert"] { margin: 20px 0 0; color: var(--error); }
"""


def draw_login_page(error: str = "") -> str:
    """The page; `error` says why the last try did not succeed."""
    head = element("title", "Log in to Footnote") + element("style", _STYLE)
    alert = element("p", escape(error), role="alert") if error else ""
    name = _draw_box("Name", name="username", type="text", autocomplete="username", autocapitalize="none")
    password = _draw_box("Password", name="password", type="password", autocomplete="current-password")
    form = element("form", name + password + element("button", "Log in"), method="post", action="login")
    main = element("main", element("h1", "Footnote") + element("p", "Ask your paper abstracts.") + alert + form)
    basics = (
        '<meta charset="utf-8"><link rel="icon" href="data:,">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
    )
    return f'<!doctype html><html lang="en"><head>{basics}{head}</head><body>{main}</body></html>'


def draw_user(name: str) -> str:
    """The user's name and the way out, for the page's header."""
    way_out = element("form", element("button", "Log out", "fn-tool"), method="post", action="logout")
    return element("div", element("p", "Logged in as " + element("strong", escape(name))) + way_out, "fn-user")


def _draw_box(label: str, **attributes: str) -> str:
    return element("label", label + element("input", "", required="required", **attributes))
