"""What the gates make of some fixed texts, as it was when their version was last raised.

`python tests/golden_gates.py` writes golden_gates.json anew, with the version that the code names.
"""

import json
from pathlib import Path
from typing import Any

from llm2llm.leakage.calibration import calibrate
from llm2llm.leakage.coverage import CoverageGate
from llm2llm.leakage.embedding import windows
from llm2llm.leakage.exact import ExactGate, exact_keys
from llm2llm.leakage.gate import Gate, Text
from llm2llm.leakage.gates import CODE_VERSION
from llm2llm.leakage.masking import Masker
from llm2llm.leakage.normalize import words
from llm2llm.leakage.rouge import RougeGate

FILE = Path(__file__).with_name("golden_gates.json")
REFERENCES = (
    "Mary has 5 red apples and buys 7 more at the market. How many apples has Mary now?",
    "A train travels 60 miles in one hour. How far does it travel in three hours?",
    "What is cholesterol ?",
    "Who?",
    "ΑΡΧΗ της ημέρας: πόσα βιβλία έχει η Άννα;",
    "小明有12个苹果，他给了小红5个。还剩几个？",
    "りんごが３つあります。いくつ残りますか。",
    "มีแอปเปิ้ลกี่ลูก",
    "كم عدد التفاحات لدى أحمد؟",
    "राम के पास कितने सेब हैं?",
    "3 + 4",
    "🍕🍕?",
    "The shop sold 1,250.50 pounds of flour to Dr. O'Neil's naïve café in İstanbul.",
)
TEXTS = (
    *REFERENCES,
    "MARY HAS 5 RED APPLES AND BUYS 7 MORE AT THE MARKET! HOW MANY APPLES HAS MARY NOW",
    "Tom has 8 red apples and buys 3 more at the market. How many apples has Tom now?",
    "Mary owns 5 red apples and buys 7 others at the market. How many has Mary now?",
    "How many apples has Mary now? She has 5 red apples and buys 7 more at the market.",
    "Let us see. A train travels 60 miles in one hour. How far does it travel in three hours? Ok.",
    "A bus travels 60 miles in an hour. How far does it travel in nine hours?",
    "Whаt is сholesterol",
    "W\u200bh\u200bo?",
    "αρχη ΤΗΣ ΗΜΕΡΑΣ πόσα βιβλία έχει ο Νίκος",
    "小红有12个苹果，她给了小明7个。还剩几个？",
    "りんごが5つあります。いくつ残りますか。",
    "أحمد لديه تفاحات كم",
    "3 - 4",
    "The shop sold 1250.5 pounds of flour to a café.",
    "Eight birds sat on a wire until 2 of them flew off; count those that stayed behind.",
    "",
)


def outputs() -> dict[str, Any]:
    """Gather what decides verdicts: words, keys, masks, windows, scores and a cut."""
    masker = Masker.learn(REFERENCES)
    inputs = list(REFERENCES)
    gates: list[Gate] = [
        ExactGate.of(inputs),
        CoverageGate.of(inputs, 5),
        RougeGate.of("rouge", inputs, words, 2),
        RougeGate.of("masked", inputs, masker.mask, 2),
    ]
    texts = [Text(text, TEXTS[place - 1]) for place, text in enumerate(TEXTS)]
    scores = {gate.name: _scores(gate, texts) for gate in gates}
    cut = calibrate(
        [n / 400 for n in range(400)], flag_rate=0.05, default=0.8, strictest=0.5, loosest=0.97
    )
    return {
        "version": CODE_VERSION,
        "words": [words(text) for text in TEXTS],
        "exact_keys": [exact_keys(text) for text in TEXTS],
        "masks": [masker.mask(text) for text in TEXTS],
        "windows": [windows(text, 6) for text in TEXTS],
        "closest": scores,
        "cut": [cut.value, cut.source, cut.share, cut.n_rows],
    }


def _scores(gate: Gate, texts: list[Text]) -> list[list[float] | None]:
    return [
        None if match is None else [match.reference, round(match.score, 9)]
        for match in gate.nearest(texts, 0.0)
    ]


def written() -> str:
    """Write the outputs as the file holds them: a line for each text, to be read in a diff."""
    found = outputs()
    closest = [f"{_named(name)}: {_lines(rows)}" for name, rows in found.pop("closest").items()]
    parts = [f"{_named(name)}: {_lines(value)}" for name, value in found.items()]
    inner = ",\n".join(closest)
    return "{\n" + ",\n".join([*parts, f"{_named('closest')}: {{\n{inner}\n}}"]) + "\n}\n"


def _named(name: str) -> str:
    return json.dumps(name)


def _lines(value: Any) -> str:
    if not isinstance(value, list):
        return json.dumps(value)
    rows = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in value)
    return f"[\n  {rows}\n]"


if __name__ == "__main__":
    FILE.write_text(written(), encoding="utf-8")
