"""The chunks of a library as LangChain's vector store, for those who build on it."""

from __future__ import annotations

import weakref

from langchain_chroma import Chroma
from langchain_core.embeddings import Embeddings

from rag.errors import LibraryMissing
from rag.library.chroma import chroma_errors, connect, disconnect
from rag.library.stamp import find_collection
from rag.models.embedding import EmbeddingModel
from rag.settings import Settings


def open_vectorstore(settings: Settings, model: EmbeddingModel) -> Chroma:
    """The chunks of the settings' library as LangChain's vector store.

    Args:
        model: The embedding model that the library was made with.

    Raises:
        LibraryMissing: Nothing was ingested yet.
    """
    client = connect(settings)  # its own: the store may outlive every view of the library
    collection = find_collection(settings, client)
    if collection is None:
        disconnect(client)
        raise LibraryMissing("The library is empty; run `footnote ingest` first.")
    with chroma_errors(settings):
        store = Chroma(client=client, collection_name=collection.name, embedding_function=LangChainEmbeddings(model))
    weakref.finalize(store, disconnect, client)
    return store


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
