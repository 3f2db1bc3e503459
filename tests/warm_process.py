"""Python processes that start warm: forked from one that has imported what takes seconds, and has done nothing else."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_BECOME_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of Linux's prctl
_NO_THREADS = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}  # of libraries' own
_MOST_BYTES = 100_000  # of a message: code, arguments, environment
_FORK_WHEN_ASKED = """
import json, os, socket, sys
from rag.telemetry import keep_quiet

keep_quiet()
import chromadb, sentence_transformers

assert len(os.listdir("/proc/self/task")) == 1, "a fork has none of the other threads"
line = socket.socket(fileno=int(sys.argv[1]))
line.send(b"warm")
while True:
    message, fds, _, _ = socket.recv_fds(line, int(sys.argv[2]), 3)
    if not message:
        os._exit(0)
    if (between := os.fork()) == 0:
        if (child := os.fork()) == 0:
            break
        line.send(str(child).encode())
        os._exit(0)
    os.waitpid(between, 0)  # from here on the child is one of the process that asked
    line.send(b"its own")
    for fd in fds:
        os.close(fd)
line.close()
for at, fd in enumerate(fds):
    os.dup2(fd, at)
    os.close(fd)
told = json.loads(message)
os.environ.clear()
os.environ.update(told["environment"])
os.chdir(told["folder"])
sys.argv = ["-c", *told["arguments"]]
exec(compile(told["code"], "<string>", "exec"), {"__name__": "__main__"})
"""


class Forker:
    """Forks processes that have the libraries loaded which an embedding model needs."""

    def __init__(self, root: Path) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-u", "-c", _FORK_WHEN_ASKED, str(theirs.fileno()), str(_MOST_BYTES)],
                env={**os.environ, **_NO_THREADS, "PYTHONPATH": str(root)}, pass_fds=[theirs.fileno()],
            )  # fmt: skip
        assert self._line.recv(10) == b"warm"

    def close(self) -> None:
        self._line.close()
        self._process.wait(300)

    def fork(self, code: str, arguments: list[str], environment: dict[str, str], fds: list[int]) -> int:
        """The id of a new process, which is a child of this one."""
        told = {"code": code, "arguments": arguments, "environment": environment, "folder": os.getcwd()}
        with _adopting():
            socket.send_fds(self._line, [json.dumps(told).encode()], fds)
            child = int(self._line.recv(20))
            assert self._line.recv(20) == b"its own"
        return child


class WarmProcess(subprocess.Popen[str]):
    """`python -c CODE ARGUMENTS`, forked; waited for, killed and spoken to like any other process."""

    def __init__(self, forker: Forker, code: str, *arguments: str, env: dict[str, str], **streams: Any) -> None:
        self._forker = forker
        super().__init__([code, *arguments], env=env, **streams)

    def _execute_child(self, args: list[str], *others: Any) -> None:
        """In place of what starts a program: `others` are environment and pipes among much else, as of Python 3.11."""
        environment, pipes = others[5], others[9:15]
        self.pid = self._forker.fork(args[0], args[1:], environment, [pipes[end] for end in (0, 3, 5)])
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]


@contextmanager
def _adopting() -> Iterator[None]:
    """What loses its parent meanwhile becomes a child of this process."""
    prctl = ctypes.CDLL(None).prctl
    assert prctl(_BECOME_SUBREAPER, 1, 0, 0, 0) == 0
    try:
        yield
    finally:
        prctl(_BECOME_SUBREAPER, 0, 0, 0, 0)
