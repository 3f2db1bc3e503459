"""Where figures and answers come from: date, version, settings without keys and paths, and a hash of the papers."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from rag.settings import Settings

_NO_ANSWER_DEPENDS_ON = {"models", "host", "port", "api_host", "api_port"}


def hash_text(text: str) -> str:
    """16 hex digits of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def hash_papers(paper_ids: Iterable[str]) -> str:
    """The same papers give the same hash, in any order and from any files."""
    return hash_text("\n".join(sorted(paper_ids)))


def describe_origin(settings: Settings) -> dict[str, Any]:
    """Date, version, commit and settings; no key and no path of this machine."""
    from rag.retrieval.signals import WEIGHTS

    private = {name for name in Settings.model_fields if isinstance(getattr(settings, name), SecretStr | Path)}
    kept = settings.model_dump(mode="json", exclude=_NO_ANSWER_DEPENDS_ON | private)
    for name in ("chroma_url", "openai_base_url"):  # a key can be in a query
        kept[name] = kept[name] and kept[name].partition("?")[0].partition("#")[0]
    for name in ("embedding_model", "nli_model"):  # a folder's path tells of this machine
        kept[name] = kept[name] and (Path(kept[name]).name if Path(kept[name]).is_dir() else kept[name])
    kept["own_prompts"] = settings.prompts is not None
    kept["weights"] = dict(WEIGHTS)
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "footnote": version("footnote-rag"),
        "commit": _find_commit(),
        "settings": kept,
        "model": kept["embedding_model"],
    }


def _find_commit() -> str | None:
    """The commit of the checkout that this code runs from; None for an installed package."""
    root = Path(__file__).resolve().parents[2]
    git = shutil.which("git")
    if git is None or not (root / ".git").exists():
        return None

    def ask_git(*words: str) -> str:
        command = [git, "-C", str(root), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603

    commit = ask_git("rev-parse", "--short", "HEAD")
    changed = ask_git("status", "--porcelain", "rag", "prompts", "seeds")
    return f"{commit} with changes" if commit and changed else commit or None
