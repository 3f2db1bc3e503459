"""Runs the command line as a user does: the installed script, or the same within this process."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from rag.commands.main import main

SCRIPT = Path(sys.executable).parent / "footnote"


class Said(NamedTuple):
    """How a command ended, and what it wrote where."""

    code: int
    out: str
    err: str


def footnote(*arguments: str, stdin: bytes = b"", **environment: str) -> Said:
    """Runs the installed script; what it says must be text, and never a traceback."""
    done = subprocess.run(
        [SCRIPT, *arguments], input=stdin, capture_output=True, check=False, timeout=300,
        env={**os.environ, **environment},
    )  # fmt: skip
    letters = environment.get("PYTHONIOENCODING", "utf-8")
    said = Said(done.returncode, done.stdout.decode(letters), done.stderr.decode(letters))
    assert "Traceback" not in said.out + said.err
    return said


def inside(*arguments: str, stdin: bytes = b"") -> Said:
    """Runs a command within this process, where the model is loaded already."""
    given = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    argv = mock.patch.object(sys, "argv", ["footnote", *arguments])
    with argv, mock.patch.object(sys, "stdin", given), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
            code = 0
        except SystemExit as left:
            code = int(left.code or 0)
    return Said(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))  # type: ignore[attr-defined]
