"""Footnote by LangChain's names, for those who build chains with it: a Runnable, a retriever, embeddings."""
