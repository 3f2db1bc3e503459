"""Footnote: ask a library of paper abstracts and get answers whose every sentence can be checked."""

from __future__ import annotations

from importlib import import_module


def _read_stub() -> dict[str, str]:
    """The module of each public name, from the stub beside this file: its one list, a line a name."""
    with open(f"{__path__[0]}/__init__.pyi", encoding="utf-8") as stub:
        lines = [line.split() for line in stub if line.startswith("from ")]
    return {name: module for _, module, _, _, _, name in lines}


_HOMES = _read_stub()
__all__ = sorted(_HOMES)  # noqa: PLE0605 (ruff wants a literal)


def __getattr__(name: str) -> object:
    """Loads a public name where it is first used, so that `import rag` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'rag' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
