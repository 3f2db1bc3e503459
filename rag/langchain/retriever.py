"""The search as a LangChain retriever."""

from __future__ import annotations

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from rag.errors import LibraryMissing
from rag.ingestion.library_handle import LibraryHandle
from rag.models.embedding import EmbeddingModel
from rag.retrieval.ranking import Query, retrieve
from rag.types import Filter, Passage


class PaperRetriever(BaseRetriever):
    """LangChain's view of the search: the best passage of each of the k best papers, as documents."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    handle: LibraryHandle
    model: EmbeddingModel
    k: int = 10
    where: Filter | None = None

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 (LangChain's signature)
    ) -> list[Document]:
        library = self.handle.current()
        if library is None:
            raise LibraryMissing("The library is empty; run `footnote ingest` first.")
        ranking = retrieve(library, self.model, Query(query), k=self.k, where=self.where)
        return [_document(passage) for passage in ranking.passages]


def _document(passage: Passage) -> Document:
    paper = passage.paper
    return Document(
        id=paper.id,
        page_content=passage.text,
        metadata={"paper_id": paper.id, "label": paper.label, "source": paper.source, "line": paper.line,
                  "start": passage.start, "end": passage.end, "score": passage.score},
    )  # fmt: skip
