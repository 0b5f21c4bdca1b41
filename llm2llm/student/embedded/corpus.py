"""The base model's corpus: arithmetic, abstract chains, one-step problems and plain sentences.

It stands for what a pretrained model has seen before: words, how a number is copied into an
annotated calculation, and which words go with which operation. Every word problem here has a
single step; the problems of the quick start have two or three, and none of their sentences is here.
"""

import random
from collections.abc import Iterator

from llm2llm.student.embedded import frames, words

ANSWER = "\nAnswer: "  # ends a problem's question
GAME_OPENINGS = ("Start with ", "We have ", "Take ", "It is ")  # of chains, and of nothing else
SHARES = {"arithmetic": 0.08, "chain": 0.34, "one_step": 0.44, "sentences": 0.14}


def documents(random_seed: int) -> Iterator[str]:
    """Yield documents without end."""
    rng = random.Random(random_seed)
    makers = {"arithmetic": _arithmetic, "chain": _chain, "one_step": _one_step,
              "sentences": _sentences}  # fmt: skip
    kinds, shares = list(SHARES), list(SHARES.values())
    while True:
        yield makers[rng.choices(kinds, shares)[0]](rng)


def _calculate(a: int, operator: str, b: int) -> int:
    return {"+": a + b, "-": a - b, "*": a * b, "/": a // b}[operator]


def _annotate(a: int, operator: str, b: int) -> str:
    result = _calculate(a, operator, b)
    return f"<<{a}{operator}{b}={result}>>{result}"


def _operands(operator: str, rng: random.Random) -> tuple[int, int]:
    """Draw two numbers whose result is a whole number, at least 1."""
    if operator == "+":
        return rng.randint(1, 150), rng.randint(1, 99)
    if operator == "-":
        b = rng.randint(1, 99)
        return b + rng.randint(1, 150), b
    a, b = rng.randint(2, 12), rng.randint(2, 12)
    if rng.random() < 0.3:
        a, b = rng.randint(2, 70), rng.randint(2, 9)
    return (a * b, b) if operator == "/" else (a, b)


def _arithmetic(rng: random.Random) -> str:
    operators = rng.choices("+-*/", k=rng.randint(3, 6))
    lines = [(operator, *_operands(operator, rng)) for operator in operators]
    return "\n".join(_annotate(a, operator, b) for operator, a, b in lines)


def _chain(rng: random.Random) -> str:
    """Write a number game: `Start with 5. Add 3. What is the result?`, or two products joined."""
    if rng.random() < 0.15:
        return _joined(rng)
    value = rng.randint(1, 99)
    start = rng.choice(["Start with {}.", "We have the number {}.", "Take {}.", "It is {} now."])
    question, steps = [start.format(value)], []
    for _ in range(rng.choice([1, 2, 2, 3, 3])):
        operators = ["+"]
        divisors = [d for d in range(2, 13) if value % d == 0 and value > d]
        if value > 1:
            operators.append("-")
        if value <= 60:
            operators.append("*")
        if divisors:
            operators.append("/")
        operator = rng.choice(operators)
        b = {
            "+": rng.randint(1, 99),
            "-": rng.randint(1, max(1, value - 1)),
            "*": rng.randint(2, 12 if value <= 15 else 4),
            "/": rng.choice(divisors or [1]),
        }[operator]
        question.append(rng.choice(frames.GAME_STEPS[operator]).format(b=b))
        steps.append(rng.choice(["It is ", "Now it is ", ""]) + _annotate(value, operator, b) + ".")
        value = _calculate(value, operator, b)
    asked = rng.choice(["What is the result?", "What number is it now?", "How much is it?"])
    return _problem(" ".join(question), asked, steps, value)


def _joined(rng: random.Random) -> str:
    a, b, c, d = (rng.randint(2, 12) for _ in range(4))
    (a, b), (c, d) = sorted([(a, b), (c, d)], key=lambda pair: -pair[0] * pair[1])
    operator, word = rng.choice([("+", "plus"), ("-", "minus")])
    if a * b == c * d:
        operator, word = "+", "plus"
    steps = [
        f"First it is {_annotate(a, '*', b)}.",
        f"Second it is {_annotate(c, '*', d)}.",
        f"The result is {_annotate(a * b, operator, c * d)}.",
    ]
    question = f"We have {a} times {b} {word} {c} times {d}."
    return _problem(question, "What is the result?", steps, _calculate(a * b, operator, c * d))


def _one_step(rng: random.Random) -> str:
    operator = rng.choice("+-*/")
    told, asked, answer = rng.choice(frames.PROBLEMS[operator])
    a, b = _operands(operator, rng)
    values = _entities(rng) | {"u": rng.choice(frames.UNITS)}
    if "{t}" in told:
        b = rng.choice(list(frames.TIMES))
        values["t"] = frames.TIMES[b]
    values |= {
        "a": str(a),
        "b": str(b),
        "v": rng.choice(frames.VERBS.get(operator, [""])),
        "gone": rng.choice(frames.GONE).format(**values),
        "come": rng.choice(frames.COME).format(**values),
    }
    step = answer.format(**values).replace("@", _annotate(a, operator, b))
    told, asked = told.format(**values), asked.format(**values)
    return _problem(told[0].upper() + told[1:], asked, [step], _calculate(a, operator, b))


def _problem(told: str, asked: str, steps: list[str], result: int) -> str:
    return f"Question: {told} {asked}{ANSWER}" + "\n".join(steps) + f"\n#### {result}"


def _entities(rng: random.Random) -> dict[str, str]:
    woman, man = rng.choice(words.WOMEN), rng.choice(words.MEN)
    people = (
        {"n": woman, "m": man, "he": "she", "He": "She"}
        if rng.random() < 0.5
        else {"n": man, "m": woman, "he": "he", "He": "He"}
    )
    return people | {
        "o": rng.choice(words.THINGS),
        "p": rng.choice(words.PLACES),
        "k": rng.choice(words.OBJECTS),
    }


def _sentences(rng: random.Random) -> str:
    """Write sentences with grammar and no story: words in the places that they can take."""
    return " ".join(_sentence(rng) for _ in range(rng.randint(3, 6)))


def _sentence(rng: random.Random) -> str:
    def one(*groups: list[str]) -> str:
        return rng.choice(rng.choice(groups))

    def noun_phrase() -> str:
        noun = one(words.OBJECTS, words.PLACES, words.PERSON)
        plural = one(words.THINGS, words.PEOPLE, words.PLURALS)
        phrases = [
            f"the {one(words.ADJECTIVES)} {noun}",
            f"the {noun}",
            f"{one(words.DETERMINERS)} {noun}",
            f"{one(words.DETERMINERS)} {plural}",
            f"{rng.randint(2, 99)} {plural}",
            f"${rng.randint(2, 99)}",
            one(words.EXTRAS),
        ]
        return rng.choice(phrases)

    verbs = [
        one(words.VERBS_S, words.VERBS_D),
        f"can {one(words.VERBS)}",
        f"will {one(words.VERBS)}",
        f"was {one(words.VERBS_D)}",
        f"is {one(words.ADJECTIVES)}",
    ]
    subject = rng.choice([one(words.WOMEN, words.MEN), f"The {one(words.PERSON)}"])
    verb, adverb, opener = rng.choice(verbs), one(words.ADVERBS), one(words.OPENERS)
    place = f"{one(words.PREPOSITIONS)} {noun_phrase()}"
    sentences = [
        f"{opener} {noun_phrase()} {verb} {place}.",
        f"{opener} {adverb} {verb} {noun_phrase()}.",
        f"{opener} {noun_phrase()} {verb} {adverb} {noun_phrase()}?",
        f"{subject} {verb} {noun_phrase()} {adverb}.",
        f"{subject} {verb} {adverb}, {place}.",
    ]
    return rng.choice(sentences)
