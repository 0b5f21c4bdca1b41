"""The symbolic teacher writes sound new problems from worked ones, or declines with a reason."""

import json
import random
import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm2llm.arithmetic import annotations, check_annotations
from llm2llm.tasks.sections import ResponseFormat
from llm2llm.teacher.fixed_values import fixed_values
from llm2llm.teacher.protocol import Answer, Refusal, TeacherRequest
from llm2llm.teacher.rewrite import rewrite
from llm2llm.teacher.surface import swap_surface
from llm2llm.teacher.symbolic import VERSION, SymbolicTeacher
from llm2llm.teacher.worked_problem import Declined, numbers_in, read

RESPONSE = ResponseFormat(kind="json", input="question", target="answer", pattern=None)

PLAIN = (
    "Anna packs 6 boxes with 9 marbles in each. She gives 14 marbles to Tom. "
    "How many marbles does Anna keep?",
    "Anna packs 6*9 = <<6*9=54>>54 marbles.\n"
    "After the gift Anna keeps 54 - 14 = <<54-14=40>>40 marbles.\n#### 40",
)
MONEY = (
    "A ticket costs $2.50 and a drink $1.25. Ben buys 8 tickets and 4 drinks, and he pays with "
    "$30. How much change does he get?",
    "The tickets cost 8 * $2.50 = $<<8*2.5=20>>20.\nThe drinks cost 4 * $1.25 = $<<4*1.25=5>>5.\n"
    "Together that is $20 + $5 = $<<20+5=25>>25.\nHe gets $30 - $25 = $<<30-25=5>>5.\n#### 5",
)
WEEKS = (
    "A hen lays 3 eggs a day. How many eggs do 11 hens lay in 6 weeks?",
    "The hens lay 11 * 3 = <<11*3=33>>33 eggs a day.\n"
    "In a week they lay 33 * 7 = <<33*7=231>>231 eggs.\n"
    "In 6 weeks they lay 231 * 6 = <<231*6=1386>>1,386 eggs.\n#### 1386",
)
PERCENT = (
    "A shop has 80 lamps. It sells 25% of the lamps on Monday and half of the rest on Tuesday. "
    "How many lamps are left?",
    "On Monday it sells 80 * .25 = <<80*.25=20>>20 lamps.\n80 - 20 = <<80-20=60>>60 stay.\n"
    "On Tuesday it sells 60/2 = <<60/2=30>>30.\nSo 60-30 = <<60-30=30>>30 are left.\n#### 30",
)
WORDS = (
    "Kim walks seven miles, then four miles more. Her sister walks three times as far as Kim. "
    "How far does her sister walk?",
    "Kim walks seven + four miles, or 7 + 4 = <<7+4=11>>11 miles.\n"
    "Her sister walks 11 * 3 = <<11*3=33>>33 miles.\n#### 33",
)
TEXT_STEP = (
    "A farm has 12 sheds with 15 goats each, and 70 sheep. How many animals live there?",
    "There are 12 sheds * 15 goats/shed = 180 goats.\n"
    "In all there are 180 + 70 = <<180+70=250>>250 animals.\n#### 250",
)
CHANCE = (
    "A garden has 3 rows of 8 trees. 16 trees die and 35 are planted. How many trees are there?",
    "There were 3*8 = <<3*8=24>>24 trees.\nThen there were <<24-16=8>>8 trees.\n"
    "Now there are <<8+35=43>>43 trees.\n#### 43",
)
SAME_END = (
    "A tank holds 96 liters and loses 11 liters an hour. How much is left after 8 hours?",
    "<<11*8=88>>88 liters are gone.\n<<96-88=8>>8 liters are left.\n#### 8",
)
GOOD = [PLAIN, MONEY, WEEKS, PERCENT, WORDS, TEXT_STEP, CHANCE, SAME_END]

GOOD_IDS = ["plain", "money", "weeks", "percent", "words", "text-step", "chance", "same-end"]


def request(problem: tuple[str, str], draw: int = 0, random_seed: int = 1) -> TeacherRequest:
    """Make a request as the pipeline would."""
    return TeacherRequest(
        request_id=f"rq-{draw}",
        seed_id="ex-1",
        purpose="write",
        about=None,
        draw=draw,
        random_seed=random_seed,
        messages=(),
        seed_input=problem[0],
        seed_target=problem[1],
        response_schema=None,
    )


def ask(problem: tuple[str, str], draw: int = 0, random_seed: int = 1) -> str:
    """Ask for one rewrite and return its text."""
    answer = SymbolicTeacher(RESPONSE).ask(request(problem, draw, random_seed))
    assert isinstance(answer, Answer)
    return answer.text


def masked(text: str) -> str:
    """Leave only the structure of a text: no numbers, names or things."""
    return re.sub(r"[A-Za-z]+", "w", re.sub(r"[0-9][0-9,.]*[0-9]|[0-9]|\.[0-9]+", "0", text))


@pytest.mark.parametrize("problem", GOOD, ids=GOOD_IDS)
def test_rewrites_hold_exactly_and_differ_from_the_seed(problem: tuple[str, str]) -> None:
    """Every one of 12 draws is sound, keeps the seed's structure and changes its numbers."""
    question, solution = problem
    for draw in range(12):
        new = json.loads(ask(problem, draw))
        assert check_annotations(new["answer"]) is None
        assert new["question"] != question
        assert [n.value for n in numbers_in(new["question"])] != [
            n.value for n in numbers_in(question)
        ]
        assert len(annotations(new["answer"])) == len(annotations(solution))
        assert masked(new["answer"]).replace(",", "") == masked(solution).replace(",", "")


@pytest.mark.parametrize("problem", GOOD, ids=GOOD_IDS)
def test_numbers_in_the_text_follow_those_in_the_annotations(problem: tuple[str, str]) -> None:
    """Right behind an annotation stands its result, and before it the same expression."""
    for draw in range(12):
        solution = json.loads(ask(problem, draw))["answer"]
        for annotation in annotations(solution):
            behind = numbers_in(solution[annotation.end :])[0]
            assert behind.start == 0
            assert behind.value == Fraction(annotation.result)
            line = solution[: annotation.start].rsplit("\n", 1)[-1]
            operands = [n.value for n in numbers_in(annotation.expression)]
            if "=" in line:
                assert [n.value for n in numbers_in(line)][-len(operands) :] == operands


@pytest.mark.parametrize("problem", GOOD, ids=GOOD_IDS)
def test_every_number_of_the_solution_has_a_source(problem: tuple[str, str]) -> None:
    """Operands are stated in the question, computed before, or constants of the seed's solution."""
    old = read(*problem)
    constants = old.used_values - old.stated_values - {s.result for s in old.steps}
    for draw in range(12):
        new = json.loads(ask(problem, draw))
        reread = read(new["question"], new["answer"])
        known = set(reread.stated_values) | constants
        for step in reread.steps:
            assert set(step.operands) <= known
            known.add(step.result)


@pytest.mark.parametrize(
    ("problem", "kept"),
    [
        (WEEKS, ["weeks", "* 7 ="]),
        (PERCENT, ["25%", "half", "* .25", "/2 ="]),
    ],
)
def test_implied_values_stay(problem: tuple[str, str], kept: list[str]) -> None:
    """Days of a week, shares and halves are the same in every rewrite."""
    for draw in range(12):
        text = " ".join(json.loads(ask(problem, draw)).values())
        assert [part for part in kept if part not in text] == []


def test_numbers_keep_their_form() -> None:
    """Words stay words, cents stay cents, whole numbers stay whole, and nothing is negative."""
    for draw in range(12):
        words = json.loads(ask(WORDS, draw))
        assert not re.search(r"[0-9]", words["question"])
        money = json.loads(ask(MONEY, draw))
        assert re.search(r"\$[0-9]+\.[0-9]{2} and", money["question"])
        for text in (*words.values(), *money.values()):
            assert not re.search(r"(?<![0-9 ])-[0-9]", re.sub(r"<<[^>]*>>", "", text))
        assert all(n.value.denominator == 1 for n in numbers_in(ask(PLAIN, draw)))


def test_a_result_equal_to_another_number_by_chance_is_told_apart() -> None:
    """8 liters left are not the 8 hours: in some rewrite the two differ."""
    rewrites = [json.loads(ask(SAME_END, draw)) for draw in range(20)]
    assert any(
        numbers_in(new["question"])[-1].value != numbers_in(new["answer"])[-1].value
        for new in rewrites
    )


def test_equal_requests_give_equal_bytes_and_others_differ() -> None:
    """The text depends on random seed, seed id and draw, and on each of them."""
    texts = {(seed, draw): ask(PLAIN, draw, seed) for seed in (1, 2) for draw in range(10)}
    assert all(ask(PLAIN, draw, seed) == text for (seed, draw), text in texts.items())
    assert len(set(texts.values())) == 20


def test_the_answer_is_the_object_that_the_task_asks_for() -> None:
    """Fields are named by the task, and the answer says who wrote it."""
    response = ResponseFormat(kind="json", input="problem", target="work", pattern=None)
    teacher = SymbolicTeacher(response)
    answer = teacher.ask(request(PLAIN))
    assert isinstance(answer, Answer)
    assert list(json.loads(answer.text)) == ["problem", "work"]
    assert (answer.finish_reason, answer.n_prompt_tokens) == ("stop", None)
    assert answer.teacher == f"symbolic/{teacher.identity['revision']}"
    assert teacher.identity["backend"] == "symbolic"
    assert teacher.identity != SymbolicTeacher(RESPONSE).identity


def test_tasks_without_worked_solutions_are_declined() -> None:
    """A classification task gets a refusal with its reason, not a failure."""
    label_only = ResponseFormat(kind="json", input="text", target=None, pattern=None)
    question = ("What is a caldera?", "DESC")
    for teacher in (SymbolicTeacher(label_only), SymbolicTeacher(RESPONSE)):
        refusal = teacher.ask(request(question))
        assert isinstance(refusal, Refusal)
        assert refusal.reason.startswith("declined: no worked solution")


@pytest.mark.parametrize(
    ("question", "solution", "reason"),
    [
        ("Ann has 3 cups and 4 pots.", "She has 7.\n#### 7", "no worked solution"),
        ("Ann has 3 cups and 4 pots.", "<<3+4=8>>8\n#### 8", "rounded, wrong or incomplete"),
        ("Ann cuts 10 m in 3.", "<<10/3=3.33>>3.33\n#### 3.33", "rounded, wrong or incomplete"),
        ("Ann has 15 cups.", "x = <<15=15>>15\n#### 15", "without an operation"),
        ("Ann owes 15, has 9.", "<<9-15=-6>>-6\n#### -6", "negative"),
        ("Ann has 13 cups.", "<<13+29=42>>42\n#### 42", "nothing explains"),
        ("Ann has 13 cups and 29 pots.", "17 cups. <<13+29=42>>42\n#### 42", "no step explains"),
        ("4 dogs run. How many legs?", "<<4*4=16>>16\n#### 16", "no number that may change"),
        ("9 pens cost $9?", "<<9*9=81>>81\n<<81*81=6561>>6561\n#### 6561", None),
        ("A room is 9 long.", "<<9*9=81>>81\n#### 81", "multiplies a number by itself"),
        (
            "Ann has 18 things: 6 cups, 4 pots, 8 pans. She sells the cups and pots at $11.",
            "<<6+4=10>>10\n<<10*11=110>>110\n#### 110",
            "follows from others",
        ),
        ("Half of 50% is what share?", "<<50/2=25>>25\n#### 25", "no number that may change"),
    ],
)
def test_what_cannot_be_rewritten_safely_is_declined(
    question: str, solution: str, reason: str | None
) -> None:
    """Each kind of doubt has its own reason; without one there is an answer."""
    answer = SymbolicTeacher(RESPONSE).ask(request((question, solution)))
    if reason is None:
        assert isinstance(answer, Answer)
    else:
        assert isinstance(answer, Refusal)
        assert reason in answer.reason


def test_the_larger_stays_the_larger_where_it_decides() -> None:
    """Which of two is cheaper does not turn round."""
    problem = (
        "A red pen costs $14 and a blue pen $22. Joe buys 5 of the cheaper ones. What does he pay?",
        "The cheaper pen costs $14.\nHe pays 14*5 = $<<14*5=70>>70.\n#### 70",
    )
    for draw in range(12):
        red, blue, *_ = (n.value for n in numbers_in(json.loads(ask(problem, draw))["question"]))
        assert red < blue


def test_ages_stay_human() -> None:
    """Nobody becomes older than 100 where the seed's people are not."""
    problem = (
        "Rita is 38 years old and her aunt is 24 years older. How old is the aunt?",
        "The aunt is 38 + 24 = <<38+24=62>>62.\n#### 62",
    )
    values = [n.value for draw in range(30) for n in numbers_in(ask(problem, draw))]
    assert max(values) <= 100


@pytest.mark.parametrize(
    ("question", "fixed"),
    [
        ("The three friends share 48 nuts.", 3),
        ("They meet at 5:30 and eat 40 nuts.", 5),
        ("They meet at 9 pm and eat 40 nuts.", 9),
        ("On the 15th they eat 40 nuts.", 15),
        ("In 1998 they ate 40 nuts.", 1998),
        ("They eat 3/8 of 40 nuts.", 8),
        ("They eat two-ninths of 40 nuts.", 9),
        ("They eat 35 percent of 40 nuts.", 35),
        ("They work 5 days a week.", 5),
        ("They work 9 hours per day.", 9),
        ("Ann, Bob, Cid, and Dan share 40 nuts.", 4),
        ("They buy a dozen nuts.", 12),
        ("The ratio is 5:9.", 9),
    ],
)
def test_values_that_words_imply_are_fixed(question: str, fixed: int) -> None:
    """Counts of named things, times, dates, fractions, shares and units stay."""
    problem = read(question, "<<20+20=40>>40\n#### 40")
    assert Fraction(fixed) in fixed_values(problem)
    assert Fraction(40) not in fixed_values(problem)


def test_names_keep_their_gender_and_things_their_kind() -> None:
    """Names and things change together in question and solution, one to one."""
    question, solution = "Anna gives Tom 3 apples. Anna keeps her cookies.", "Anna had apples."
    for number in range(20):
        new = swap_surface(question, solution, random.Random(number))
        words = re.findall(r"[A-Za-z]+", new[0])
        assert words[0] == words[4] != "Anna"
        assert words[2] not in ("Tom", words[0])
        assert new[1] == f"{words[0]} had {words[3]}."
        assert words[3] in {"oranges", "pears", "bananas", "peaches", "plums"}


@pytest.mark.parametrize(
    "text",
    [
        "Natalia met Natalie.",
        "They buy 5 index cards.",
        "The toy store has 5 toys.",
        "They read 5 books.",
        "Zed meets Quill.",
    ],
)
def test_names_and_things_in_doubt_stay(text: str) -> None:
    """Similar names, compound nouns, things with a purpose and unknown words are left alone."""
    assert swap_surface(text, text, random.Random(1)) == (text, text)


@given(
    st.integers(2, 90),
    st.integers(2, 40),
    st.integers(1, 60),
    st.sampled_from("+-*/"),
    st.sampled_from("+-*"),
    st.integers(0, 10**6),
)
def test_any_two_step_problem_is_rewritten_soundly_or_declined(
    a: int, b: int, c: int, first: str, second: str, random_seed: int
) -> None:
    """Whatever the numbers, a rewrite is exact and consistent or there is none."""
    one = {"+": Fraction(a + b), "-": Fraction(a - b), "*": Fraction(a * b), "/": Fraction(a, b)}
    r = one[first]
    s = {"+": r + c, "-": r - c, "*": r * c}[second]
    question = f"There are {a} blue, {b} red and {c} green stones."
    solution = f"<<{a}{first}{b}={r}>>{r}\n<<{r}{second}{c}={s}>>{s}\n#### {s}"
    try:
        new = rewrite(question, solution, random.Random(random_seed))
    except Declined as reason:
        assert str(reason)
        return
    assert check_annotations(new.solution) is None
    x, y, z = (n.value for n in numbers_in(new.question))
    steps = read(new.question, new.solution).steps
    assert steps[0].operands == (x, y)
    assert steps[1].operands[1] == z
    assert all(step.result >= 0 and step.result.denominator == 1 for step in steps)


def test_a_changed_rewrite_needs_another_version() -> None:
    """A version's rewrites never change: the ledger would go on giving the old ones.

    Whoever changes what is written here raises VERSION too.
    """
    assert VERSION == 1
    assert [json.loads(ask(problem))["question"] for problem in (PLAIN, WEEKS, WORDS)] == [
        "Ruth packs 11 boxes with 13 marbles in each. She gives 27 marbles to Carl."
        " How many marbles does Ruth keep?",
        "A hen lays 2 eggs a day. How many eggs do 16 hens lay in 5 weeks?",
        "Diana walks twelve miles, then five miles more. Her sister walks seven times as far as"
        " Diana. How far does her sister walk?",
    ]
