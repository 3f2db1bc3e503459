"""`footnote doctor`: what is configured, whether it works, and how to mend what does not."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from rag.commands.common import print_check
from rag.errors import RagError, SettingsError

if TYPE_CHECKING:
    from rag.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: what it is, whether it is well, and the detail or the way to mend it."""

    what: str
    ok: bool
    detail: str


def doctor() -> None:
    """Say what is configured, what is missing, and how to mend it."""
    findings = list(examine())
    for finding in findings:
        print_check(finding.ok, f"{finding.what:<16}", finding.detail)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(2)


def examine() -> Iterator[Finding]:
    """Looks at everything a question needs, one finding after the other; asks the language model for one word."""
    from rag.settings import load_settings
    from rag.telemetry import keep_quiet

    keep_quiet()
    yield Finding("footnote", True, f"{version('footnote-rag')} on Python {platform.python_version()}")
    try:
        settings = load_settings()
    except SettingsError as error:
        yield Finding("settings", False, str(error))
        return
    yield Finding("settings", True, _list_chosen(settings) or "all at their defaults")
    looks: dict[str, Callable[[Settings], str]] = {
        "home": _check_home,
        "prompts": _check_prompts,
        "embedding model": _check_embedding,
        "library": _check_library,
        "language model": _ask_llm,
    }
    if settings.nli_model:
        looks["entailment model"] = _ask_entailment
    for what, look in looks.items():
        try:
            yield Finding(what, True, look(settings))
        except (RagError, OSError) as error:
            yield Finding(what, False, str(error))


def _list_chosen(settings: Settings) -> str:
    """The settings that differ from their defaults; a key is only said to be set."""
    from pydantic import SecretStr

    from rag.settings import list_in_file, variable

    fields = type(settings).model_fields
    shown = {
        variable(name): "(set)" if isinstance(getattr(settings, name), SecretStr) else str(getattr(settings, name))
        for name, field in fields.items()
        if getattr(settings, name) != field.get_default(call_default_factory=True)
    }
    in_file = [name for name in list_in_file() if name in shown and name not in os.environ]
    source = f"; from {Path('.env').absolute()}: {', '.join(in_file)}" if in_file else ""
    return ", ".join(f"{name}={value}" for name, value in shown.items()) + source


def _check_home(settings: Settings) -> str:
    nearest = next(folder for folder in (settings.home, *settings.home.parents) if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise SettingsError(f"{settings.home} cannot be written; set RAG_HOME to a folder that can.")
    if not settings.home.exists():
        return f"{settings.home} (made at the first ingest)"
    if os.name == "posix" and settings.home.stat().st_mode & 0o077:
        raise SettingsError(
            f"{settings.home} is open to other users of this machine, who can read the questions and hold up an ingest:"
            f" `chmod 700 {settings.home}`."
        )
    return str(settings.home)


def _check_prompts(settings: Settings) -> str:
    from rag.llm.context_window import check_room
    from rag.llm.prompts import load_prompts

    prompts = load_prompts(settings.prompts)
    if settings.llm_configured:
        check_room(settings, prompts)
    return str(settings.prompts) if settings.prompts else "as shipped (your own: RAG_PROMPTS)"


def _check_embedding(settings: Settings) -> str:
    from rag.models.embedding import open_model
    from rag.models.onnx_export import checked_weights
    from rag.settings import BUNDLED_MODEL

    is_bundled = settings.embedding_model == BUNDLED_MODEL
    if is_bundled and checked_weights() and not settings.models_folder.exists():
        return f"{BUNDLED_MODEL} (bundled, checksum right; made ready by the first ingest)"
    model = open_model(settings)
    kind = "bundled, checksum right" if is_bundled else "your choice"
    return f"{model.name} ({kind}; {model.dimension} dimensions, reads {model.max_tokens} tokens)"


def _ask_entailment(settings: Settings) -> str:
    from rag.models.entailment import open_entailment

    name = str(settings.nli_model)
    verdict = open_entailment(name)("It has 30 tasks.", "It has tasks.")
    return f"{name} (calls it {verdict} that what has 30 tasks has tasks)"


def _check_library(settings: Settings) -> str:
    from rag.library.chroma import place
    from rag.library.library import Library

    library = Library.open(settings)
    if library is None or not library.size:
        how = "the first question ingests the bundled seeds" if settings.auto_ingest else "run `footnote ingest PATHS`"
        return f"empty, in {place(settings)}; {how}"
    state = "; an ingest is at work or was interrupted: run `footnote ingest`" if library.stamp.syncing else ""
    for name, differing in library.disagreements().items():
        state += f"; the {name} differs from it in {len(differing)} papers (it is derived: remove its folder)"
    roots = ", ".join(library.stamp.roots)
    return f"{library.size} papers in {place(settings)}, from {roots}{state}"


def _ask_llm(settings: Settings) -> str:
    import asyncio

    from rag.llm.client import ChatModel

    if not settings.llm_configured:
        return "none: answers quote the papers (for summaries: RAG_LLM_MODEL, and OPENAI_API_KEY or OPENAI_BASE_URL)"
    model = ChatModel.open(settings.model_copy(update={"llm_cache": False}))  # it shall answer now
    asyncio.run(model.complete([("user", "Reply with the word ready.")]))
    return f"{model.name} at {model.host} answers"
