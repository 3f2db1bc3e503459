"""An embedding model behind LangChain's Embeddings, which take a tenth of a second to import."""

from __future__ import annotations

from langchain_core.embeddings import Embeddings

from rag.models.embedding import EmbeddingModel


class LangChainEmbeddings(Embeddings):
    """What a model makes of texts, by LangChain's names: unit vectors as lists of numbers."""

    def __init__(self, model: EmbeddingModel) -> None:
        self.model = model

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """As `EmbeddingModel.embed`."""
        return [[float(x) for x in vector] for vector in self.model.embed(texts)]

    def embed_query(self, text: str) -> list[float]:
        """The unit vector of one text."""
        return self.embed_documents([text])[0]
