"""The wording of one-step problems and number games, by operation."""

# Of a one-step problem: what is told, what is asked, the answer with @ for the calculation.
# {a} and {b} are its numbers; {n}, {m} people, {o} things, {p} a place, {k} an object, {u} a unit,
# {v} one of VERBS, {come} and {gone} what some of the things do, {t} one of TIMES.
PROBLEMS: dict[str, list[tuple[str, str, str]]] = {
    "+": [
        (
            "{n} had {a} {o}. {He} {v} {b} more.",
            "How many {o} does {n} have now?",
            "Now {n} has @ {o}.",
        ),
        (
            "There are {a} {o} in the {p}. Then {b} {come}.",
            "How many {o} are in the {p} now?",
            "There are @ {o}.",
        ),
        (
            "{a} {u} and another {b} {u} are put together.",
            "How many {u} is that in total?",
            "In total it is @ {u}.",
        ),
        ("{n} counts {a} {o} and {m} counts {b}.", "What is the sum?", "The sum is @."),
        ("{n} is {a} years old. {m} is {b} years older.", "How old is {m}?", "So {m} is @."),
        (
            "One {k} costs ${a}. The other one costs ${b}.",
            "How many dollars for both?",
            "Both cost $@.",
        ),
        (
            "A {k} is ${a}, and its price goes up by ${b}.",
            "What is the new price?",
            "The price is $@.",
        ),
        (
            "{m} saw {a} {o} first. After this {m} saw {b}.",
            "How many {o} are that all together?",
            "All together it is @ {o}.",
        ),
        (
            "{n} had {b} {u} more than {m}. {m} had {a}.",
            "How many {u} did {n} have?",
            "So {n} had @ {u}.",
        ),
    ],
    "-": [
        (
            "{n} had {a} {o}. {He} {v} {b} of them.",
            "How many {o} does {he} have left?",
            "@ {o} are left.",
        ),
        ("In the {p} there are {a} {o}. {b} {gone}.", "How many {o} remain?", "@ {o} remain."),
        ("Of {a} {u}, {b} {gone}.", "How many {u} are still there?", "@ {u} are left."),
        (
            "{n} had ${a} and spent ${b} at the {p}.",
            "How many dollars are left over?",
            "So {n} has $@ left.",
        ),
        (
            "{n} must do {a} {u}. {b} are done.",
            "How many more must {he} do?",
            "Now {n} must do @ more.",
        ),
        ("{n} is {a} years old. {m} is {b} years younger.", "How old is {m}?", "So {m} is @."),
        ("The {k} was ${a}. Today it is sold for ${b} less.", "What does it cost?", "It costs $@."),
        (
            "{n} wants {a} {o} but has only {b}.",
            "How many {o} does {n} still need?",
            "Now {n} needs @ {o}.",
        ),
        (
            "{m} gives ${a} for a {k} that costs ${b}.",
            "How much does {m} get back?",
            "Now {m} gets $@ back.",
        ),
        (
            "{m} has {b} {o} fewer than {n}, who has {a}.",
            "How many {o} does {m} have?",
            "Now {m} has @ {o}.",
        ),
    ],
    "*": [
        ("{n} fills {a} bags. Each bag gets {b} {o}.", "How many {o} is that?", "It is @ {o}."),
        ("There are {a} {u} in a {k}.", "How many {u} are in {b} of them?", "There are @ {u}."),
        ("One {k} is ${a}.", "How many dollars do {b} of them cost?", "They cost $@."),
        (
            "{n} does {a} {u} each day for {b} days.",
            "How many {u} is that in all?",
            "In all it is @ {u}.",
        ),
        ("{a} people each have {b} {o}.", "How many {o} do they have?", "They have @ {o}."),
        ("Every hour {n} makes ${a}.", "How much is it for {b} hours?", "It is $@."),
        ("{n} walks {a} miles per day.", "How far is it in {b} days?", "It is @ miles."),
        ("{o} stand in {a} lines of {b}.", "What is the number of {o}?", "There are @ {o}."),
        ("{n} pays ${a} apiece for {b} {o}.", "How much does {he} pay?", "Now {n} pays $@."),
        (
            "The {p} asks ${a} from one person. {b} persons come.",
            "How much money is that?",
            "It is $@.",
        ),
        (
            "{n} got {a} {o}. {m} got {t} as many.",
            "How many {o} does {m} have?",
            "Now {m} has @ {o}.",
        ),
        (
            "Last week it was {a} {u}. This week it is {t} that number.",
            "How many {u} is it now?",
            "It is @ {u}.",
        ),
    ],
    "/": [
        (
            "{n} shares {a} {o} equally with {b} people.",
            "How many does each get?",
            "Each gets @ {o}.",
        ),
        ("{a} {o} go into packs of {b}.", "How many packs are there?", "There are @ packs."),
        (
            "{n} does {b} {u} each day until {a} {u} are done.",
            "How many days does it take?",
            "It takes @ days.",
        ),
        ("{a} {u} are cut into {b} equal parts.", "How large is one part?", "One part is @ {u}."),
        (
            "{n} needs ${a} and gets ${b} per day.",
            "How many days must {he} wait?",
            "It takes @ days.",
        ),
        ("One {k} holds {b} {o}.", "How many are needed for {a} {o}?", "@ are needed."),
        (
            "{a} {o} are divided by {b} people.",
            "What number does each one get?",
            "Each gets @ {o}.",
        ),
    ],
}
VERBS = {
    "+": ["found", "got", "bought", "received", "made", "picked", "collected", "added", "brought"],
    "-": ["lost", "sold", "ate", "used", "dropped", "spent", "broke", "burned", "removed"],
}
COME = [
    "arrive",
    "are added",
    "come in",
    "are brought by {m}",
    "join",
    "get on",
    "were planted",
    "were found",
    "follow",
    "are put in",
    "climb in",
    "are bought",
    "came from {m}",
    "are set next to them",
]
GONE = [
    "are lost",
    "are sold",
    "are broken",
    "died",
    "left",
    "went home",
    "got wet",
    "ran out",
    "were used",
    "were eaten",
    "were crushed",
    "are gone",
    "were taken away",
    "were given to {m}",
    "fell off",
    "leaked out",
    "get off",
    "walk out",
    "are thrown out",
    "had to go",
    "were cut down",
    "step out",
    "were paid to {m}",
]
UNITS = [
    "dollars",
    "liters",
    "pages",
    "miles",
    "people",
    "trees",
    "words",
    "points",
    "things",
    "seats",
    "cups",
    "pounds",
]
TIMES = {2: "twice", 3: "three times", 4: "four times"}
# Steps of a number game.
GAME_STEPS = {
    "+": ["Add {b}.", "It grows by {b}.", "Then {b} more.", "{b} is added.", "Put {b} to it."],
    "-": ["Take away {b}.", "It drops by {b}.", "Then {b} less.", "{b} is removed.", "Lose {b}."],
    "*": ["Multiply by {b}.", "Make it {b} times as large.", "Take it {b} times."],
    "/": ["Divide by {b}.", "Split it into {b} equal parts.", "Share it by {b}."],
}
