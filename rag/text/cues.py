"""What a question asks for and what a sentence offers, by their wording; pure."""

from __future__ import annotations

import re

from rag.text.figures import spell_numbers
from rag.text.names import ACRONYM, find_asked_names
from rag.text.sentences import find_sentences

_FLAGS = re.IGNORECASE | re.VERBOSE
_SEVERAL = re.compile(
    r"""\b(?:which|what|any|list|these|several|other|all|two|three)\s+(?:\w+[\s-]){0,3}?
        (?:papers|works|studies|articles|abstracts|surveys)\b
      | \b(?:what|which)\ (?:other\ )?(?:work|research|literature)\b
      | ^\W*(?:compare|list)\b | \bhow\ (?:do|does)\ (?!it|that|this|these|they)\w.{0,120}\bcompare\b
      | \bcomparing\b.{0,120}\b(?:and|with|to|versus|vs)\b | \b(?:comparison\ of|(?:comparison|differences?)\ between)\b
      | \b(?:each\ one|how\ (?:is|are|does|do)\ each)\b | \bwho\ (?:else|uses|studies|works\ on)\b
      | \bdifferent\ (?:papers|works|approaches)\b
      | \b(?:papers|studies|works)\b.{0,120}\b(?:agree|disagree|differ|contradict)""",
    _FLAGS,
)
# Several of them may be one paper's own: "which benchmarks does Synapse use?"
_SEVERAL_THINGS = re.compile(
    r"""\b(?:which|what|any|list|these|several|other|all|two|three)\s+(?:\w+[\s-]){0,3}?
        (?:approaches|methods|benchmarks|ways)\b(?!\ (?:does|did|has|was)\b)""",
    _FLAGS,
)
_OF_A_SUBJECT = re.compile(r"\b(?:do|does|did|is|are|was|were|has|have|can)\b(?!\ there)", _FLAGS)
_PARTS = re.compile(
    r"""[?;]\ | (?:,\ ?|\ )(?:and|or|but)\ (?=(?:(?:on|in|at|by|for|from|to|with|of)\ )?
        (?:what|which|how|who|where|when|why|whether|is|are|does|do|did|can)\b)
      | ,\ (?=(?:(?:on|in|at|by|for|from|to|with|of)\ )?(?:what|which|how|who|where|when|why)\b)""",
    _FLAGS,
)
_EXTENT = re.compile(
    r"\bhow\ (?:many|much|often|long|big|large|far|fast|cheap|old|high|accurate|small|good|well)\b", _FLAGS
)
_ASKS_NUMBER = re.compile(
    r"""\bhow\ (?:many|much|often|long|big|large|far|fast|cheap|old|high|accurate)\b
      | \bwhat\ (?:percentage|share|fraction|score|accuracy|rate|number|factor|frequency|proportion)\b
      | \b(?:percentage|accuracy|speed-?up|by\ what\ factor|success\ rate|at\ what)\b""",
    _FLAGS,
)
_HAS_NUMBER = re.compile(rf"\d|\b(?:{spell_numbers(2, 10)}|twelve|dozen|hundred|thousand|million|half|twice)\b", _FLAGS)
_ASKS_NAME = re.compile(
    r"""\b(?:called|names?|named|stands?\ for|which|who
      |what\ (?:dataset|benchmark|metric|model|method|algorithm|task|tool|platform|simulator))\b""",
    _FLAGS,
)
_ASKS_REASON = re.compile(r"\b(?:why|how\ come|reasons?|what\ (?:causes?|triggers?|explains?|makes?))\b", _FLAGS)
_REASON = re.compile(
    r"""\b(?:because|due\ to|stems?|owing\ to|since|reasons?|caus(?:e|es|ed|ing)|leads?\ to|explains?|attribut\w+
          |imped\w+|results?\ (?:from|in)|driven\ by|arises?|limitations?|therefore|thus)\b""",
    _FLAGS,
)
_FINDING = re.compile(
    r"""\b(?:we|our|this\ (?:paper|work|study)|results?|experiments?)\b.{0,60}
        \b(?:show|find|found|propose|introduce|present|demonstrate|achieve|outperform|reveal|observe|report|develop
          |identify|conclude|improve|reach)""",
    _FLAGS,
)
_IDEA = re.compile(
    r"""\b(?:we|this\ (?:paper|work|study)|i)\b.{0,40}\b(?:propos|introduc|present|develop|design|build|built|creat
          |appl(?:y|ied)|modif|train|releas|point\ out|formulat|adapt|leverag|employ|explor|investigat|conclude
          |argue|show)""",
    _FLAGS,
)
_MOTIVATION = re.compile(
    r"""^(?:however|despite|although|while|recent(?:ly)?|existing|traditional|previous|prior|conventional|many|most
          |in\ recent\ years|unfortunately|yet)\b
      | \b(?:remains?\ (?:unclear|a|an|challenging|elusive)|have\ been\ (?:widely|extensively)|has\ gained
          |existing\ (?:methods|approaches|work)|little\ is\ known
          |(?:key|major|central|main|common|open)\ (?:challenge|problem|issue|question))\b""",
    _FLAGS,
)
_POINTER = re.compile(
    r"""https?:// | ^we\ (?:release|open-source)\b
      | \b(?:code|website|videos?|datasets?|models?|demos?)\b.{0,80}
        \b(?:available|released|found\ at|open-sourced?)\b""",
    _FLAGS,
)
_ASKS_POINTER = re.compile(
    r"\b(?:where|code|website|url|link|download|available|released?|open[-\ ]?source[ds]?|public(?:ly)?)\b", _FLAGS
)
# "It beats ..." is of the paper's own work; "These include ..." is of the sentence before.
_OF_THE_PAPER = re.compile(
    r"""^(?:it|its|they|we\ then|(?:this|the|our|these|the\ proposed|our\ proposed)\ (?:\w+\ )?
          (?:method|approach|framework|model|models|system|algorithm|dataset|benchmark|work|paper|study|technique|architecture|agent|agents|survey|tool))\b""",
    _FLAGS,
)
_OF_THE_SENTENCE_BEFORE = re.compile(
    r"""^(?:this|these|those|such|that|both|all\ (?:two|three|four)|the\ (?:former|latter)|he|she
          |for\ (?:example|instance)|in\ doing\ so)\b""",
    _FLAGS,
)
_LIST_ITEM = re.compile(r"\(?(?:\d|i{1,3}|iv|v)\)\s", re.IGNORECASE)

# What a question is asked in, beside greetings, thanks and what the reader tells of themselves.
_OPENS_ASKING = re.compile(
    r"""^\W*(?:(?:and|so|but|please|then|also|ok|okay)\W+)*(?:what|which|who|whose|when|where|why|how|is|are|do|does|did
          |can|could|explain|describe|summari[sz]e|compare|list|tell|show|give|find|name|define|discuss)\b | \?\W*$""",
    _FLAGS,
)
_HAS_QUESTION_WORD = re.compile(r"\b(?:what|which|who|whose|when|where|why|how|whether|about)\b", re.IGNORECASE)
_PRONOUN = re.compile(r"\b(?:it|its|they|them|their|theirs|this|that|these|those)\b", re.IGNORECASE)


def asks_several(question: str) -> bool:
    """Whether more than one paper is asked for: lists and comparisons."""
    if _SEVERAL.search(question):
        return True
    things = _SEVERAL_THINGS.search(question)
    named = any(not ACRONYM.fullmatch(name) for name in find_asked_names(question))
    return things is not None and not (named and _OF_A_SUBJECT.search(question, things.end()))


def find_asking(question: str) -> str:
    """The sentences in which something is asked; all of it where they do not say themselves of what, or none does."""
    sentences = [question[start:end] for start, end in find_sentences(question)]
    for asks in (_OPENS_ASKING, _HAS_QUESTION_WORD):
        found = " ".join(sentence for sentence in sentences if asks.search(sentence))
        if found:
            return question if _PRONOUN.search(found) and not any(find_asked_names(found)) else found
    return question


def split_question(question: str) -> list[str]:
    """The questions within a question: "how big is it, and on what was it trained?" has two."""
    return [part for part in map(str.strip, _PARTS.split(" ".join(question.split()))) if part]


def remove_extent(question: str) -> str:
    """The question without its "how large", whose words are not what it is about."""
    return _EXTENT.sub("", question)


def asks_number(question: str) -> bool:
    """Whether a quantity is asked for."""
    return bool(_ASKS_NUMBER.search(question))


def asks_name(question: str) -> bool:
    """Whether a name is asked for: of a data set, a model, a person."""
    return bool(_ASKS_NAME.search(question))


def asks_pointer(question: str) -> bool:
    """Whether it is asked where something is to be had."""
    return bool(_ASKS_POINTER.search(question))


def asks_reason(question: str) -> bool:
    """Whether it is asked why."""
    return bool(_ASKS_REASON.search(question))


def is_reason(sentence: str) -> bool:
    """Whether a cause is given."""
    return bool(_REASON.search(sentence))


def has_number(sentence: str) -> bool:
    """Whether a quantity is stated, in digits or words."""
    return bool(_HAS_NUMBER.search(sentence))


def is_finding(sentence: str) -> bool:
    """Whether the authors say what they did or found."""
    return bool(_FINDING.search(sentence))


def is_idea(sentence: str) -> bool:
    """Whether the authors say what their work is."""
    return bool(_IDEA.search(sentence))


def is_motivation(sentence: str) -> bool:
    """Whether it is said what was known or lacking before: what a paper argues from, or against."""
    return bool(_MOTIVATION.search(sentence))


def is_pointer(sentence: str) -> bool:
    """Whether it only says where code, data or videos are."""
    return bool(_POINTER.search(sentence))


def is_of_the_paper(sentence: str) -> bool:
    """Whether the sentence opens with words for the paper's own work, which it does not name: "It", "Our method"."""
    return bool(_OF_THE_PAPER.search(sentence))


def is_of_the_sentence_before(sentence: str) -> bool:
    """Whether the sentence opens by pointing at the one before it: "These include ..."."""
    return bool(_OF_THE_SENTENCE_BEFORE.search(sentence)) and not is_of_the_paper(sentence)


def is_list_item(sentence: str) -> bool:
    """Whether the sentence opens with the number of a list: "(2) ..."."""
    return bool(_LIST_ITEM.match(sentence))
