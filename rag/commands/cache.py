"""`footnote cache`, `footnote cache clear`: the answers of the language model that are kept on disk."""

from __future__ import annotations

import typer

cache = typer.Typer()


@cache.callback(invoke_without_command=True)
def show_cache(context: typer.Context) -> None:
    """Look at the answers of the language model that are kept on disk, or remove them."""
    from rag import load_settings
    from rag.llm.cache import AnswerCache

    if context.invoked_subcommand is None:
        settings = load_settings()
        kept = AnswerCache.of(settings).contents()
        state = "" if settings.llm_cache else "; it is switched off (RAG_LLM_CACHE)"
        typer.echo(f"{_count(kept.answers)}, {kept.size_bytes / 1000:,.0f} kB, in {settings.home}{state}")


@cache.command("clear")
def clear_cache() -> None:
    """Remove them all: every question goes to the language model again."""
    from rag import load_settings
    from rag.llm.cache import AnswerCache

    typer.echo(f"{_count(AnswerCache.of(load_settings()).clear().answers)} removed.")


def _count(answers: int) -> str:
    return "1 answer" if answers == 1 else f"{answers:,} answers"
