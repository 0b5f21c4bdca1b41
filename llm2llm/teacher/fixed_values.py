"""Values that a rewrite must not change, because words of the problem imply them."""

import re
from collections.abc import Iterator
from fractions import Fraction

from llm2llm.teacher.worked_problem import WORDS, WorkedProblem, numbers_in

# Words, and the values that a solution may use because of them.
_IMPLIED: dict[str, tuple[int, ...]] = {
    r"half|halves|halfway|twice|doubl\w*|pairs?|both|couples?|second|two-\w+|twins?|either|½": (2,),
    r"thirds?|tripl\w*|thrice|trio|three-\w+|triangles?|tricycles?|yards?|¾": (3,),
    r"quarters?|fourths?|quadrupl\w*|four-\w+|squares?|rectang\w*|¼|¾|gallons?|quarts?": (4,),
    r"fifths?|nickels?|weekdays?|school days|quintupl\w*": (5,),
    r"sixths?|hexagon\w*": (6,),
    r"sevenths?|weeks?|weekly|weekdays?|heptagon\w*": (7,),
    r"eighths?|octagon\w*|spiders?|octopus\w*|pints?|cups?": (8,),
    r"ninths?": (9,),
    r"tenths?|dimes?|decades?": (10,),
    r"dozens?|foot|feet|inch|inches|months?|monthly|years?|yearly|annual\w*": (12,),
    r"pounds?|ounces?|lbs?|oz": (16,),
    r"fortnights?|two weeks": (14,),
    r"score": (20,),
    r"days?|daily|tomorrow|yesterday|hours?|hourly": (24,),
    r"quarters?|half dollars?": (25, 50),
    r"months?|monthly|january|march|april|june|july|august|september|november|december": (30, 31),
    r"february": (28, 29),
    r"weeks?|weekly|years?|yearly|annual\w*|decks?": (52,),
    r"hours?|hourly|minutes?|seconds?": (60,),
    r"percent\w*|cents?|pennies|penny|dollars?|century|centuries|meters?|centimeters?": (100,),
    r"years?|yearly|annual\w*|leap": (365, 366),
    r"kilo\w*|kg|km|grams?|meters?|liters?|milli\w*|tons?": (1000,),
    r"tons?": (2000,),
    r"miles?": (5280, 1760),
    r"hours?": (3600,),
    r"legs?|wheels?|tires?|paws?|feet|hooves|sides?|corners?|seasons?": (2, 3, 4, 6, 8),
    r"eyes?|ears?|hands?|arms?|wings?|shoes?|socks?|gloves?|parents|grandparents": (2, 4),
    r"fingers?|toes?": (5, 10, 20),
    r"holes?": (9, 18),
    r"semesters?|biannual\w*|bi-?weekly|bi-?monthly|every other|alternat\w*": (2,),
    r"average\w*|mean|median": (1, 2),
}
_IMPLIED_BY = [
    (re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE), values)
    for words, values in _IMPLIED.items()
]
_WORD = "|".join(WORDS)
_COUNT = rf"(?:[0-9][0-9,]*(?:\.[0-9]+)?|\.[0-9]+|\b(?:{_WORD})\b)"
_EVERY = r"[ -](?:a|per|each|every|of the|of each|in a|in the|in|/) ?"
# Numbers that are parts of something else: groups hold what stays.
_STANDING = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"({_COUNT})\s*(?:%|percent|per cent)",  # a share of 100
        rf"({_COUNT})\s*/\s*({_COUNT})",  # fractions
        r"([0-9]+)\s*:\s*([0-9]+)",  # times of day, ratios
        r"([0-9]+)\s*to\s*([0-9]+)",
        r"([0-9]+)\s*[-–]\s*([0-9]+)",  # ranges
        rf"ratio of ({_COUNT})\D*({_COUNT})",
        r"([0-9]+)(?:st|nd|rd|th)\b",
        rf"({_COUNT})\s*(?:am|pm|a\.m|p\.m|o'?clock)\b",
        r"\b(?:in|by|since|of|year|until|from|before|after|during) ((?:1[5-9]|20)[0-9]{2})\b"
        r"(?! \w+s\b)",  # calendar years
        rf"\b(?:day|week|month|year|step|grade|level|room|chapter|number|page|stage|part|line|"
        rf"group|team|phase|round|class|route|no\.|january|february|march|april|may|june|july|"
        rf"august|september|october|november|december)\s*#?({_COUNT})\b",
        rf"#({_COUNT})",
        # "the three friends", "all 4 sides", "two of them": as many as were named
        rf"\b(?:the|these|those|other|remaining|last|next|past|previous|first|following|our|their|"
        rf"his|her|my|your) ({_WORD})\b",
        rf"\ball (?:of )?(?:the )?({_COUNT})",
        rf"({_COUNT}) (?:of them|of us|of you|together|altogether|combined)\b",
        rf"\b({_WORD}) (?:\w+ )?(?:siblings?|brothers?|sisters?|sons?|daughters?|roommates?|people|"
        rf"persons?|friends?|children|kids|options?|types?|kinds?|ways?|parts?)\b",
        # at most 7 days a week, 24 hours a day, 12 months a year
        rf"({_COUNT})[ -](?:\w+ )?(?:days?|times|nights?){_EVERY}week",
        rf"({_COUNT})[ -](?:(?:week|work|school) ?)?(?:days?|nights?) (?:per|each|every|in)\b",
        rf"({_COUNT})[ -](?:\w+ )?hours?{_EVERY}(?:day|night)",
        rf"({_COUNT})[ -](?:weeks?|months?|days?){_EVERY}(?:month|year|season|semester)",
        rf"\b({_COUNT})[- ](?:third|fourth|quarter|fifth|sixth|eighth|tenth|half|halve)s?",
    )
]
# With these, the size of a group also shows in how many of its members the text lists.
_AVERAGE = re.compile(r"\b(?:average|averaged|averages|averaging|mean)\b", re.IGNORECASE)
_LIST = re.compile(r"\w+(?:, (?:\w+ ){0,2}\w+)+,? (?:and|or) \w+")
_EVERYWHERE = frozenset({Fraction(0), Fraction(1)})


def fixed_values(problem: WorkedProblem) -> frozenset[Fraction]:
    """Collect the values that stay: implied, parts of fractions, shares, dates, counts of lists."""
    both = f"{problem.question}\n{problem.solution}"
    return _EVERYWHERE.union(
        (Fraction(v) for words, values in _IMPLIED_BY if words.search(both) for v in values),
        _parts(problem.question),
        _parts(re.sub(r"<<[^<>]*>>|[-+*/x×÷=]", ";", problem.solution)),
        _counts(problem),
    )


def derived_constants(fixed: frozenset[Fraction]) -> frozenset[Fraction]:
    """Collect what a solution may write for a fixed value: 20 % as .2, 80 or 1.2; 1/4 as .25."""
    constants = set(fixed) | {Fraction(1, 2), Fraction(1, 100), Fraction(2), Fraction(100)}
    for value in fixed:
        constants |= {value / 100, 1 + value / 100}
        if value <= 100:
            constants |= {100 - value, 100 + value, 1 - value / 100}
        if value > 1:
            constants |= {1 / value, 1 - 1 / value}
    small = [value for value in fixed if 0 < value <= 12]
    constants |= {a / b for a in small for b in small if a < b}
    return frozenset(constants)


def _parts(text: str) -> Iterator[Fraction]:
    for pattern in _STANDING:
        for found in pattern.finditer(text):
            for part in found.groups():
                yield from (number.value for number in numbers_in(part or ""))


def _counts(problem: WorkedProblem) -> Iterator[Fraction]:
    """Yield how many terms the sums have, and how many members the question's lists."""
    average = bool(_AVERAGE.search(problem.question + problem.solution))
    for step in problem.steps:
        n_terms = step.expression.count("+") + 1
        if n_terms > 2 or average:
            yield from (Fraction(n_terms), Fraction(n_terms + average))
    for found in _LIST.finditer(problem.question):
        yield Fraction(
            found[0].count(",") + 1 + (", and" not in found[0] and ", or" not in found[0])
        )
