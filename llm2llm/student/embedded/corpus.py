"""The base model's corpus: arithmetic, abstract chains, one-step problems and plain sentences.

It stands for what a pretrained model has seen before: words, how a number is copied into an
annotated calculation, and which words go with which operation. Every word problem here has a
single step; the problems of the quick start have two or three, and none of their sentences is here.
"""

import random
from collections.abc import Iterator

from llm2llm.student.embedded import words

SHARES = {"arithmetic": 0.08, "chain": 0.34, "one_step": 0.44, "sentences": 0.14}

# Frames of one-step problems by operation: the question's sentences, what is asked, the answer.
# {a} and {b} are its numbers; {n}, {m} people, {o} things, {p} a place, {k} an object, {v} one of
# the operation's VERBS below.
_VERBS = {
    "+": "found got bought received made picked collected added brought built".split(),
    "-": "lost sold ate used dropped spent broke burned removed returned".split(),
}
_GONE = (
    "are lost|are sold|are broken|died|left|went home|got wet|ran out|were used|were eaten|"
    "were crushed|are gone|were taken away|were given to {m}|fell off|leaked out|get off|walk out|"
    "are thrown out|had to go|were cut down|step out|were paid to {m}"
).split("|")
_COME = (
    "arrive|are added|come in|are brought by {m}|join|get on|were planted|were found|follow|"
    "are put in|climb in|are bought|came from {m}|are set next to them"
).split("|")
_UNITS = "dollars liters pages miles people trees words points things seats cups pounds".split()
_FRAMES: dict[str, list[tuple[str, str, str]]] = {
    "+": [
        ("{n} has {a} {o}. {He} {v} {b} more.", "How many {o} does {n} have now?", "{n} has @ {o}."),
        ("There are {a} {o} in the {p}. Then {b} {come}.", "How many {o} are in the {p} now?",
         "There are @ {o}."),
        ("{a} {u} and another {b} {u} are put together.", "How many {u} is that in total?",
         "In total it is @ {u}."),
        ("{n} counts {a} {o} and {m} counts {b}.", "What is the sum?", "The sum is @."),
        ("{n} is {a} years old. {m} is {b} years older.", "How old is {m}?", "{m} is @."),
        ("One {k} costs ${a}. The other one costs ${b}.", "How many dollars for both?",
         "Both cost $@."),
        ("A {k} is ${a}, and its price goes up by ${b}.", "What is the new price?",
         "The price is $@."),
        ("{m} saw {a} {o} first. After this {m} saw {b}.", "How many {o} are that all together?",
         "All together it is @ {o}."),
        ("{n} had {b} {u} more than {m}. {m} had {a}.", "How many {u} did {n} have?",
         "{n} had @ {u}."),
    ],
    "-": [
        ("{n} has {a} {o}. {He} {v} {b} of them.", "How many {o} are left?", "@ {o} are left."),
        ("In the {p} there are {a} {o}. {b} {gone}.", "How many {o} remain?", "@ {o} remain."),
        ("Of {a} {u}, {b} {gone}.", "How many {u} are still there?", "@ {u} are left."),
        ("{n} had ${a} and spent ${b} at the {p}.", "How much money is left?", "{n} has $@ left."),
        ("{n} must do {a} {u}. {b} are done.", "How many more must {he} do?",
         "{n} must do @ more."),
        ("{n} is {a} years old. {m} is {b} years younger.", "How old is {m}?", "{m} is @."),
        ("The {k} was ${a}. Today it is sold for ${b} less.", "What does it cost?",
         "It costs $@."),
        ("{n} wants {a} {o} but has only {b}.", "How many {o} does {n} still need?",
         "{n} needs @ {o}."),
        ("{m} gives ${a} for a {k} that costs ${b}.", "How much does {m} get back?",
         "{m} gets $@ back."),
        ("{m} has {b} {o} fewer than {n}, who has {a}.", "How many {o} does {m} have?",
         "{m} has @ {o}."),
    ],
    "*": [
        ("{n} fills {a} bags. Each bag gets {b} {o}.", "How many {o} is that?", "It is @ {o}."),
        ("There are {a} {u} in a {k}.", "How many {u} are in {b} of them?", "There are @ {u}."),
        ("A {k} costs ${a}.", "How many dollars do {b} of them cost?", "They cost $@."),
        ("{n} does {a} {u} each day for {b} days.", "How many {u} is that in all?",
         "In all it is @ {u}."),
        ("{a} people each have {b} {o}.", "How many {o} do they have?", "They have @ {o}."),
        ("Every hour {n} makes ${a}.", "How much is it for {b} hours?", "It is $@."),
        ("{n} walks {a} miles per day.", "How far is it in {b} days?", "It is @ miles."),
        ("{o} stand in {a} lines of {b}.", "What is the number of {o}?", "There are @ {o}."),
        ("{n} pays ${a} apiece for {b} {o}.", "How much does {he} pay?", "{n} pays $@."),
        ("The {p} asks ${a} from one person. {b} persons come.", "How much money is that?",
         "It is $@."),
        ("{n} has {a} {o}. {m} has {t} as many.", "How many {o} does {m} have?",
         "{m} has @ {o}."),
        ("Last week it was {a} {u}. This week it is {t} that number.", "How many {u} is it now?",
         "It is @ {u}."),
    ],
    "/": [
        ("{n} shares {a} {o} equally with {b} people.", "How many does each get?",
         "Each gets @ {o}."),
        ("{a} {o} go into packs of {b}.", "How many packs are there?", "There are @ packs."),
        ("{n} does {b} {u} each day until {a} {u} are done.", "How many days does it take?",
         "It takes @ days."),
        ("{a} {u} are cut into {b} equal parts.", "How large is one part?",
         "One part is @ {u}."),
        ("{n} needs ${a} and gets ${b} per day.", "How many days must {he} wait?",
         "It takes @ days."),
        ("One {k} holds {b} {o}.", "How many are needed for {a} {o}?", "@ are needed."),
        ("{a} {o} are divided by {b} people.", "What number does each one get?",
         "Each gets @ {o}."),
    ],
}  # fmt: skip
_TIMES = {2: "twice", 3: "three times", 4: "four times"}
_CHAIN = {
    "+": ["Add {b}.", "It grows by {b}.", "Then {b} more.", "{b} is added.", "Put {b} to it."],
    "-": ["Take away {b}.", "It drops by {b}.", "Then {b} less.", "{b} is removed.", "Lose {b}."],
    "*": ["Multiply by {b}.", "Make it {b} times as large.", "Take it {b} times."],
    "/": ["Divide by {b}.", "Split it into {b} equal parts.", "Share it by {b}."],
}


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
    """Number games: `Start with 5. Add 3. What is the result?`, or two products joined."""
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
        question.append(rng.choice(_CHAIN[operator]).format(b=b))
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
    told, asked, answer = rng.choice(_FRAMES[operator])
    a, b = _operands(operator, rng)
    values = _entities(rng) | {"u": rng.choice(_UNITS)}
    if "{t}" in told:
        b = rng.choice(list(_TIMES))
        values["t"] = _TIMES[b]
    values |= {
        "a": str(a),
        "b": str(b),
        "v": rng.choice(_VERBS.get(operator, [""])),
        "gone": rng.choice(_GONE).format(**values),
        "come": rng.choice(_COME).format(**values),
    }
    step = answer.format(**values).replace("@", _annotate(a, operator, b))
    told, asked = told.format(**values), asked.format(**values)
    return _problem(told[0].upper() + told[1:], asked, [step], _calculate(a, operator, b))


def _problem(told: str, asked: str, steps: list[str], result: int) -> str:
    return f"Question: {told} {asked}\nAnswer: " + "\n".join(steps) + f"\n#### {result}"


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
    """Sentences with grammar and no story: each class of words in the places that it can take."""
    return " ".join(_sentence(rng) for _ in range(rng.randint(3, 6)))


def _sentence(rng: random.Random) -> str:
    def one(group: list[str]) -> str:
        return rng.choice(group)

    def noun_phrase() -> str:
        noun = one(one([words.OBJECTS, words.PLACES, words.PERSON]))
        plural = one(one([words.THINGS, words.PEOPLE, words.PLURALS]))
        return one([
            f"the {one(words.ADJECTIVES)} {noun}", f"the {noun}", f"{rng.randint(2, 99)} {plural}",
            f"{one(words.DETERMINERS)} {plural}", f"{one(words.DETERMINERS)} {noun}",
            f"{one(words.EXTRAS)}", f"${rng.randint(2, 99)}",
        ])  # fmt: skip

    subject = one([one(words.WOMEN), one(words.MEN), f"The {one(words.PERSON)}"])
    place = f"{one(words.PREPOSITIONS)} {noun_phrase()}"
    verb = one([one(words.VERBS_S), one(words.VERBS_D), f"can {one(words.VERBS)}",
                f"will {one(words.VERBS)}", f"was {one(words.VERBS_D)}",
                f"is {one(words.ADJECTIVES)}"])  # fmt: skip
    return one([
        f"{one(words.OPENERS)} {noun_phrase()} {verb} {place}.",
        f"{subject} {verb} {noun_phrase()}.",
        f"{one(words.OPENERS)} {one(words.ADVERBS)} {verb} {noun_phrase()}.",
        f"{subject} {verb} {one(words.ADVERBS)}, {place}.",
        f"{one(words.OPENERS)} {noun_phrase()} {verb} {one(words.ADVERBS)} {noun_phrase()}?",
    ])  # fmt: skip
