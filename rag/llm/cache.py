"""Answers of the language model kept on disk, so that the same request need not be paid for twice."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter

from rag.errors import SettingsError
from rag.files import make_private_folder, replace_file
from rag.settings import Settings
from rag.types import Usage

MOST_BYTES = 16_000_000  # some thousands of answers; the longest unasked go first
_SUFFIX = ".json"
_HALF_ONCE = "tmp"  # how an earlier build named what it had half written
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it came, and what it took."""

    pieces: list[str]
    usage: Usage


class Contents(NamedTuple):
    """How much is kept."""

    answers: int
    size_bytes: int


class AnswerCache:
    """A folder with a file for each answer, named by a hash of the request; threads and processes share it.

    A file is written aside and moved into place, so it is whole or not there; one that is damaged counts as
    none and is written anew. What cannot be written is not kept, and nothing fails for it.
    """

    def __init__(self, folder: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._folder, self._most_bytes = folder, most_bytes

    @classmethod
    def of(cls, settings: Settings) -> AnswerCache:
        """The cache beside the library."""
        return cls(settings.home / "llm-cache")

    def get(self, request: Mapping[str, object]) -> Kept | None:
        """The answer to this very request, if there is one; from now on it counts as asked last."""
        path = self._path(request)
        try:
            kept = TypeAdapter(Kept).validate_python(json.loads(path.read_bytes()))
            if not "".join(kept.pieces).strip() or not kept.usage.total_tokens:
                raise ValueError("it has no text or no tokens")
            os.utime(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            log.info("A kept answer cannot be read (%s); the model is asked.", error)
            return None
        return replace(kept, usage=replace(kept.usage, cached=True, price=0.0))

    def put(self, request: Mapping[str, object], answer: Kept) -> None:
        """Keeps an answer, and lets go of those that were not asked for longest where there are too many."""
        entry = json.dumps(asdict(answer)).encode()
        try:
            make_private_folder(self._folder)
            replace_file(self._path(request), entry, private=True)
            self._make_room()
        except OSError as error:
            log.warning("The model's answer could not be kept in %s (%s).", self._folder, error)

    def contents(self) -> Contents:
        """How many answers there are, and their size."""
        sizes = [size for _, size, path in self._files() if path.endswith(_SUFFIX)]
        return Contents(len(sizes), sum(sizes))

    def clear(self) -> Contents:
        """Removes everything that is the cache's own.

        Returns:
            What there was.

        Raises:
            SettingsError: A file cannot be removed.
        """
        try:
            before = self.contents()
            for _, _, path in self._files():
                with suppress(FileNotFoundError):
                    os.unlink(path)
        except OSError as error:
            reason = error.strerror or "unknown reason"
            raise SettingsError(
                f"The answers kept in {self._folder} cannot be removed ({reason}); mend that, or remove the folder."
            ) from error
        return before

    def _path(self, request: Mapping[str, object]) -> Path:
        canonical = json.dumps(request, sort_keys=True, separators=(",", ":"))
        return self._folder / (hashlib.sha256(canonical.encode()).hexdigest() + _SUFFIX)

    def _files(self) -> Iterator[tuple[float, int, str]]:
        """When each file was last asked for, its size, its path; also what a killed process left half written."""
        with suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # another process has removed it meanwhile
                    half = entry.name[0] == "." and f"{_SUFFIX}." in entry.name
                    ours = half or entry.name.endswith(_SUFFIX) or entry.name.startswith(_HALF_ONCE)
                    if not (ours and entry.is_file(follow_symlinks=False)):
                        continue
                    stat = entry.stat()
                    yield stat.st_mtime, stat.st_size, entry.path

    def _make_room(self) -> None:
        files = sorted(self._files())
        excess = sum(size for _, size, _ in files) - self._most_bytes
        for _, size, path in files:
            if excess <= 0:
                return
            with suppress(FileNotFoundError):
                os.unlink(path)
            excess -= size
