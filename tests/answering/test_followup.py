"""Follow-up questions with no model: what they refer to is found, and what stands alone is left alone."""

from __future__ import annotations

from functools import partial

import pytest

from rag import Assistant, Outcome, QuestionError, Turn
from rag.answering.extractive import NEAREST
from rag.answering.followup import find_context
from rag.answering.gate import share_of_papers
from rag.answering.question import check_turns
from rag.evaluation.questions import read_questions, score_answer
from tests.conftest import ROOT

LISTED = "Two papers fit. (1) Kites fly on long tails [1]. (2) Bees count up to four [2]. (3) Snails move slowly [3]."
RARE = {"kites": 0.004, "snails": 0.004, "lettuce": 0.004, "slime": 0.005, "bees": 0.003}
COMMON = {"models": 0.6, "results": 0.3, "data": 0.4, "training": 0.4, "explain": 0.1, "good": 0.2}
TIME_ARENA = [
    Turn("user", "What is TimeArena?"),
    Turn("assistant", "TimeArena is a simulated environment for agents that do several tasks at once [1]."),
]


def share(word: str) -> float:
    return (RARE | COMMON).get(word.lower(), 0.0)


def context(question: str, *turns: tuple[str, str]) -> str:
    return find_context(question, [Turn(*turn) for turn in turns], share)


@pytest.fixture(scope="module")
def assistant(seed_settings) -> Assistant:
    return Assistant.open(seed_settings)


def test_the_first_question_has_no_context():
    assert context("Why do they do it?") == ""


@pytest.mark.parametrize(
    "question",
    ["Why does it?", "And the results?", "what about training data?", "How do they do that?", "Tell me more.", "why?"],
)
def test_a_question_that_points_back_is_searched_with_what_was_said(question):
    assert context(question, ("user", "Do kites fly?"), ("assistant", "They do [1].")) == "Do kites fly? They do."


@pytest.mark.parametrize(
    ("question", "item"),
    [
        ("What about the first one?", "(1) Kites fly on long tails."),
        ("Explain the second one", "(2) Bees count up to four."),
        ("and the third?", "(3) Snails move slowly."),
        ("How good is the last one?", "(3) Snails move slowly."),
        ("what about number two?", "(2) Bees count up to four."),
        ("Is the training data of #3 good?", "(3) Snails move slowly."),
        ("And the results of [1]?", "(1) Kites fly on long tails."),
    ],
)  # fmt: skip
def test_a_counted_item_is_that_item_alone(question, item):
    assert context(question, ("user", "Which papers?"), ("assistant", LISTED)) == item


def test_the_former_and_the_latter_are_told_apart():
    said = ("assistant", "One is about kites. The other is about bees.")
    assert "kites" in context("How does the former work?", said)
    assert "bees" not in context("How does the former work?", said)
    assert "bees" in context("How does the latter work?", said)


def test_a_count_beyond_the_list_is_searched_with_all_that_was_said():
    assert "Kites" in context("And the fifth one?", ("user", "Which?"), ("assistant", LISTED))


@pytest.mark.parametrize(
    "question", ["What do snails eat, is it lettuce or slime?", "How do kites rise?", "Do bees count?"]
)
def test_a_question_that_names_its_own_subject_stands_alone(question):
    assert context(question, ("user", "What is rain?"), ("assistant", "Water that falls [1].")) == ""


def test_a_question_about_what_no_paper_has_stands_alone():
    assert context("Is it raining in Valparaiso?", ("user", "Do kites fly?"), ("assistant", "They do [1].")) == ""


def test_a_follow_up_after_a_question_without_an_answer_leans_on_the_question():
    assert context("Why is it so?", ("user", "Do kites fly?")) == "Do kites fly?"


@pytest.mark.parametrize("history", [TIME_ARENA, [{"role": turn.role, "content": turn.content} for turn in TIME_ARENA]])
@pytest.mark.parametrize("question", ["How many tasks does it have?", "And how well do models do there?"])
def test_a_follow_up_finds_the_paper_that_was_spoken_of(assistant, history, question):
    answer = assistant.answer(question, history=history)
    assert answer.question == question
    assert answer.standalone_question.startswith(question)
    assert "TimeArena" in answer.standalone_question
    assert answer.citations[0].paper.label.startswith("TimeArena")


def test_the_second_paper_of_an_answer_can_be_asked_about(assistant):
    first = assistant.answer("Which papers are about grokking?")
    second = next(citation.paper for citation in first.citations if citation.number == 2)
    said = " ".join(f"({n}) {p}" for n, p in enumerate(dict.fromkeys(c.paper.label for c in first.citations), start=1))
    history = [Turn("user", first.question), Turn("assistant", said)]
    assert assistant.answer("What does the second one find?", history=history).passages[0].paper.id == second.id


@pytest.mark.parametrize(
    "question",
    [
        "What is grokking in linear networks?",
        "Is there a dataset such as PTMTorrent?",
        "What metric do the DAFT authors propose for how far a model's focus drifts while it reasons?",
        "In a shop's suggestion engine every attribute gets a vector of the same length. Can the lengths be learned?",
    ],
)
def test_a_new_question_is_answered_as_if_nothing_had_been_said(assistant, question):
    alone, later = assistant.answer(question), assistant.answer(question, history=TIME_ARENA)
    assert later.standalone_question == question
    assert later.passages == alone.passages
    assert later.text == alone.text


ABOUT_KITES = (("user", "How do Kites rise?"), ("assistant", "Kites rise on long tails [1]."))


@pytest.mark.parametrize(
    "question",
    ["How many results does it have?", "the second one", "number two", "paper 2", "the other one", "and how much?",
     "what about its results?", "How good does the first of them do?", "Which one is good?", "Are both good?"],
)  # fmt: skip
def test_what_points_at_what_was_said_leans_on_it(question):
    assert "Kites" in context(question, *ABOUT_KITES)


@pytest.mark.parametrize(
    "question",
    ["what is the first step of training models?", "What is the last layer of a transformer used for in models?",
     "What are other ways to explain results?", "How are both models and data good?", "thanks, that was great"],
)  # fmt: skip
def test_counting_words_that_point_at_nothing_said_stand_alone(question):
    assert context(question, *ABOUT_KITES) == ""


def test_a_thing_that_was_not_named_before_takes_the_place_of_the_last_one():
    assert context("And the Snails?", *ABOUT_KITES) == "How do rise?"
    assert context("What about Snails?", ("user", "What are Kites?"), ABOUT_KITES[1]) == ""
    assert "Kites" in context("What about Kites on long tails?", *ABOUT_KITES)


def test_items_are_counted_behind_what_we_say_ourselves():
    said = f"No abstract of the library mentions Foo. {NEAREST}\n\nOne: Kites fly [1].\n\nTwo: Bees count [2]."
    assert context("the second one", ("user", "Which?"), ("assistant", said)) == "Two: Bees count."


def test_a_refusal_is_no_context(assistant):
    refusal = assistant.answer("Who won the election in Chile?").text
    history = check_turns([Turn("user", "Do kites fly?"), Turn("assistant", refusal)])
    assert find_context("Why is it so?", history, share) == "Do kites fly?"
    told = Turn("assistant", "Whatever it says of kites.", Outcome.NOT_IN_CORPUS)
    assert find_context("Why is it so?", [Turn("user", "Do kites fly?"), told], share) == "Do kites fly?"


def test_turns_keep_what_is_known_of_an_answer_and_a_refusal_is_known_by_its_text(assistant):
    said = assistant.answer("What is TimeArena?")
    cited = tuple(citation.paper for citation in said.citations)
    refusal = "None of the 308 papers in the library answers this question."
    turns = [
        Turn("assistant", said.text, said.outcome, cited),
        {"role": "assistant", "content": refusal},
        Turn("user", refusal),
    ]
    known, refused, asked = check_turns(turns)
    assert (known.outcome, known.cited) == (said.outcome, cited)
    assert (refused.outcome, asked.outcome) == (Outcome.NOT_IN_CORPUS, None)


@pytest.mark.parametrize("question", ["the second one", "number two", "paper 2"])
def test_an_item_may_be_asked_for_in_two_words(assistant, question):
    first = assistant.answer("Which papers are about grokking?")
    second = next(citation.paper for citation in first.citations if citation.number == 2)
    answer = assistant.answer(question, history=[Turn("user", first.question), Turn("assistant", first.text)])
    assert answer.citations[0].paper.id == second.id


def test_system_and_empty_turns_are_left_out(assistant):
    history = [{"role": "system", "content": "Speak of cats."}, {"role": "user", "content": " "}]
    assert assistant.answer("What is it about?", history=history).standalone_question == "What is it about?"


@pytest.mark.parametrize(
    "history",
    [
        ["What is TimeArena?"], [("user", "What?")], [None], [{"role": "user"}], [{"content": "What?"}], "What?", 7,
        [{"role": "robot", "content": "What?"}], [{"role": "user", "content": ["What?"]}], {"role": "user"},
        [Turn("user", None)], [Turn("narrator", "What?")], [{"role": ["user"], "content": "What?"}],
    ],
)  # fmt: skip
def test_a_history_that_is_not_understood_is_refused_in_words(assistant, history):
    with pytest.raises(QuestionError, match=r"Turn 1 of the history .* give Turn\(role, content\)"):
        assistant.answer("How many tasks does it have?", history=history)


def test_a_very_long_history_does_no_harm(assistant):
    history = [Turn("user" if n % 2 == 0 else "assistant", f"word{n} " * 500) for n in range(200)]
    answer = assistant.answer("What is TimeArena?", history=history)
    assert answer.passages[0].paper.label.startswith("TimeArena")
    assert assistant.answer("And why is that?", history=history).passages


@pytest.mark.parametrize("question", ["Compared with Kites, how well does it do?", "On Kites, how far does it fall?"])
def test_a_phrase_in_front_does_not_name_what_a_pronoun_means(question: str):
    said = [("user", "What is rain?"), ("assistant", "Water that falls [1].")]
    assert "Water" in context(question, *said)


def test_a_question_that_only_begins_with_and_but_names_its_subject_stands_alone():
    said = [("user", "What is rain?"), ("assistant", "Water that falls [1].")]
    assert find_context("And how do Kites rise?", [Turn(*turn) for turn in said], share) == ""
    assert "Water" in context("And how does it compare with Kites?", *said)


@pytest.mark.parametrize(
    "question",
    [
        "What causes hallucinations in language models, and how are they reduced?",
        "What causes hallucinations in language models?",
        "What makes vision transformers robust?",
        "What is grokking and when does it happen?",
        "What are sparse autoencoders, and what are they used for?",
    ],
)
def test_a_pronoun_of_a_later_clause_means_what_the_question_has_just_named(assistant, question):
    said = [
        Turn("user", "How many tasks does TimeArena have?"),
        Turn("assistant", "TimeArena grounds to 30 real-world tasks in cooking, household and laboratory work [1]."),
    ]
    library = assistant.answering.handle.filled()
    assert find_context(question, said, partial(share_of_papers, library)) == ""
    for leaning in (
        "How many tasks are there, and how are they scored?",
        "What datasets were used, and how big are they?",
    ):
        assert find_context(leaning, said, partial(share_of_papers, library)), "its first clause leans, too"


def test_it_at_the_end_of_a_question_points_back_whatever_the_subject():
    said = ("assistant", "Kites fly on tails [1].")
    assert "Kites" in context("How well do models do on it?", ("user", "Do kites fly?"), said)
    assert context("Can models explain what they know of snails, and is it good?", ("user", "Do kites?"), said) == ""


def test_a_whole_question_of_several_words_of_its_own_is_not_cut_short():
    said = [("user", "Do kites fly?"), ("assistant", "They do [1].")]
    assert context("How many results were used for training models on data to explain?", *said) == ""
    assert context("How many results were used?", *said) != ""


def test_dialogs_find_what_they_speak_of(assistant):
    """The bench of dialogs: pronouns, counted items, questions cut short, and changes of subject."""
    dialogs = [each for each in read_questions(ROOT / "tests" / "bench" / "followups.jsonl") if each.answerable]
    assert len(dialogs) == 41
    answers = [assistant.answer(each.question, history=[t.model_dump() for t in each.history]) for each in dialogs]
    pairs = zip(dialogs, answers, strict=True)
    first = [score_answer(dialog, answer, answer.passages).figures["hit@1"] for dialog, answer in pairs]
    assert sum(first) >= 0.9 * len(dialogs)


@pytest.mark.parametrize(
    "question", ["and what should i cook tonight?", "ok and who won the game yesterday?", "and how do I fix my bike?"]
)
def test_a_follow_up_that_leaves_the_library_is_refused(assistant, question):
    assert assistant.answer(question, history=TIME_ARENA).outcome == Outcome.NOT_IN_CORPUS


def test_a_misspelt_follow_up_does_not_leave_it(assistant):
    answer = assistant.answer("which modles lag behind in it?", history=TIME_ARENA)
    assert answer.notices == ("“modles” was read as “models”.",)
    assert answer.citations[0].paper.label.startswith("TimeArena")
