"""An answer and the library it came from -> the page of its passport."""

from __future__ import annotations

from collections.abc import Iterable

from rag.settings import Settings
from rag.share.passports.carried import Passport
from rag.share.passports.page import page
from rag.share.provenance import describe_origin, hash_papers
from rag.types import Answer, Filter, Paper


def passport(answer: Answer, settings: Settings, papers: Iterable[Paper], *, where: Filter | None = None) -> str:
    """One HTML file that carries the answer, its evidence and where it comes from; no key, no path of this machine."""
    ids = [paper.id for paper in papers]
    told = describe_origin(settings)
    commit = f" ({told['commit']})" if told["commit"] else ""
    return page(
        Passport(
            made=str(told["made"]),
            footnote=f"{told['footnote']}{commit}",
            library_hash=hash_papers(ids),
            library_papers=len(ids),
            embedding_model=str(told["model"]),
            settings=dict(told["settings"]) if isinstance(told["settings"], dict) else {},
            where=where,
            answer=answer,
        )
    )
