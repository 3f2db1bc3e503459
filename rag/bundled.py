"""Where the files that ship with Footnote are: beside the packages in a checkout, inside `rag` in a wheel."""

from __future__ import annotations

from pathlib import Path


def bundled(name: str) -> Path:
    """The folder `seeds` or `prompts` as shipped."""
    package = Path(__file__).resolve().parent
    installed = package / "_bundled" / name
    return installed if installed.is_dir() else package.parent / name
