"""Text in an abstract that addresses whoever processes it: found by its wording, to be shown to the reader as such.

The patterns are English only: an order in another language is not found. An abstract describes; it gives no orders.
What is found is told, not obeyed and not removed: the prompt declares passages to be data, and the chain takes no
citation, link or format from a model's word (see `rag.markers.reader`).
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from rag.text.sentences import Span, find_sentences
from rag.text.word_lists import read_table

_OUTPUT = (
    "answers?|repl(?:y|ies)|respon[sd]es?|output|message|summary|text|solution|implementation|code(?:base)?|script"
    "|program|algorithm|explanation|elucidation|translation|conversation|instructions?|prompts?|task|role"
)
# Up to here, the sentence does not begin like one in which authors write what they do with a code block themselves.
_OF_NO_AUTHOR = r"^(?!(?:[\w\ ]{0,40},\ )?(?:we|our|the\ authors?|this\ (?:paper|article|work|study))\b).*?"
_PATTERNS = (
    # ignore all previous instructions
    r"""\b(?:ignore|disregard|forget|override|bypass|(?:do\ not|don['’]t|stop)\ follow(?:ing)?)\b[^.]{0,30}?
        \b(?:previous|prior|above|earlier|preceding|system|your|these|those|any|all)\b[^.]{0,30}?
        \b(?:instructions?|prompts?|guidelines|rules|commands|directions|passages?|messages?)\b""",
    r"\b(?:new|updated|real|actual|secret|hidden)\ (?:system\ )?(?:instructions?|prompt|orders)\s*[:=]",
    # you are now ..., from now on you ..., pretend you are
    r"\byou\ are\ (?:now|no\ longer|an?\ (?:ai|assistant|chatbot|helpful|(?:large\ )?language\ model))\b",
    r"\bfrom\ now\ on\b[^.]{0,20}\byou\b",
    r"""\byou\ (?:must|should|will|shall|have\ to|need\ to)\ (?:now\ |always\ |only\ )?
        (?:answer|respond|reply|say|write|output|include|ignore|tell|begin|start|end|cite|recommend|print|translate)\b""",
    # the assistant shall only say
    r"""\b(?:the|this|any|every|all|an)\ (?:ai\ )?(?:assistants?|chatbots?|ais?)\ (?:
        (?:must|shall)\ (?:now\ |always\ |only\ |never\ |not\ )?
        |(?:should|will|is\ to|are\ to|has\ to|have\ to|needs?\ to|may)\ (?:now|always|only|never)\ )
        (?:answer|respond|reply|say|write|output|include|ignore|tell|begin|start|end|cite|recommend|print|translate)\b""",
    r"\b(?:pretend|imagine|act\ as\ if)\ (?:that\ )?you(?:['’]re|\ are)\b",
    # in your answer
    rf"\byour\ (?:\w+\ ){{0,2}}?(?:{_OUTPUT})\b",
    r"\b(?:in|to|within|of|into)\ the\ (?:final\ )?(?:answer|reply|response)\ (?:to\ the\ user|you\ (?:give|write))\b",
    # do not tell the user
    r"""\b(?:do\ not|don['’]t|never|without)\ (?:tell|inform|reveal|mention|warn|alert)\w*\ (?:this\ )?(?:to\ )?
        (?:the\ |any\ |your\ )?(?:users?|readers?|anyone|humans?)\b""",
    r"""^(?:please\ )?(?:tell|inform|ask|urge|advise|convince|persuade|encourage|warn|direct|redirect)\ (?:the\ |all\ )?
        (?:users?|readers?)\b""",
    # the following code block
    rf"""{_OF_NO_AUTHOR}\b(?:the|this|these)\ (?:following|subsequent|below|next)\ (?:\w+\ )?code\ (?:block|snippet
        |excerpt|section|segment|fragment|piece|sample|example|portion|passage|line|part)s?\b""",
    rf"""{_OF_NO_AUTHOR}\b(?:decode|decrypt|execute|run|eval(?:uate)?|follow|obey)\ (?:the|this|these)
        \ (?:following|below|next)\b""",
    # templates of chats, calls of tools, what would be rendered, and what only a machine can read
    r"<\|\s*\w+\s*\|>|\[/?INST\]|<<?/?SYS>>?|</?(?:system|assistant|user|human|tool_call|function_call)>",
    r"</passage>|<passage\ \w+=",
    r"^\W{0,4}(?:system|assistant|human)\s?:\s|\#{2,}\s*(?:instruction|system|response|human|assistant)",
    r"[\"']role[\"']\s*:\s*[\"'](?:system|user|assistant|tool)|[\"'](?:tool_calls?|function_call)[\"']\s*:",
    r"!\[[^\]]{0,80}\]\(|\]\(\s*(?:javascript:|data:)|<(?:script|img|iframe|svg|object|embed)\b",
    r"\b(?:[A-Za-z0-9+/]{4}){20,}={0,2}(?![\w/])",
)
# Tasks alone may be set without an object: abstracts, which leave out their "we", begin "Use the ..." with other verbs.
_ORDER = r"""^(?:(?:please|now|then|first|next|finally|also|instead|always|never|only|just|simply),?\ ){0,2}(?:
    (?:(?<=always\ )|(?<=never\ ))(?:VERB)|(?:VERB)\ (?:OBJECT)|(?:TASK)\ the
    )(?:\b|(?<=\W))"""
_ASKED_FOR_ONESELF = r"""^(?:can|could|will|would)\ you\b
    |^(?:how|what|where|when|why|which)\ (?:do|can|should|could|would|is|are)\ (?:i|my|you)\b"""


@lru_cache(maxsize=4096)  # every drawing of a page shows the same abstracts
def instructions(text: str) -> tuple[Span, ...]:
    """The sentences of a text that read like instructions to an assistant, as offsets."""
    return tuple((start, end) for start, end in find_sentences(text) if _explicit().search(text[start:end]))


def find_statements(text: str) -> list[Span]:
    """The other sentences, which alone are evidence; all of them where there is no other."""
    ordered = set(instructions(text))
    spans = find_sentences(text)
    return [span for span in spans if span not in ordered] or spans


@cache
def _explicit() -> re.Pattern[str]:
    order = _ORDER
    for part, words in read_table("orders").items():
        order = order.replace(part.upper(), "|".join(words).replace(" ", r"\ "))
    return re.compile("|".join(f"(?:{each})" for each in (*_PATTERNS, order, _ASKED_FOR_ONESELF)), re.I | re.X)
