"""Put near candidates to the judge once it has proved itself, and certify what it said."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from llm2llm.exceptions import LeakageCheckError
from llm2llm.ids import Json, example_id
from llm2llm.judging import Judge, Pair
from llm2llm.leakage.planted import embedded_items
from llm2llm.opinions import OPINIONS, Judgment
from llm2llm.records.split import SplitRow


@dataclass(frozen=True, slots=True)
class Suspect:
    """A candidate with the test items it is asked about, the nearest first.

    `n_beyond` counts those that it is as near to and not asked about.
    """

    pairs: tuple[Pair, ...]
    n_beyond: int


@dataclass(frozen=True, slots=True)
class Decided:
    """The pair that decides about a candidate, and what the judge says of it."""

    pair: Pair
    judgment: Judgment


def put_to_judge(
    judge: Judge, suspects: Sequence[Suspect], test: Sequence[SplitRow], n_planted: int
) -> tuple[list[Decided], dict[str, Json]]:
    """Ask about all suspects, after planted leaks: gives what decides, and what to certify.

    Of a suspect's pairs the first that is not cleared decides. Planted are test items between other
    sentences; without suspects nothing is asked. Raises LeakageCheckError where the judge clears
    one of them; it was shown no candidate then.
    """
    planted = _planted(test, n_planted) if suspects else []
    of_planted = judge.judge(planted)
    _require_found(judge, planted, of_planted)
    pairs = [pair for suspect in suspects for pair in suspect.pairs]
    judgments = judge.judge(pairs)
    answers = iter(zip(pairs, judgments, strict=True))
    decided = [_decide([next(answers) for _ in suspect.pairs]) for suspect in suspects]
    return decided, _certified(judge, suspects, decided, pairs, judgments, of_planted)


def _planted(test: Sequence[SplitRow], n_planted: int) -> list[Pair]:
    return [
        Pair(example_id(text.input, ""), text.input, item, 1.0)
        for item, text in embedded_items(test, n_planted)
    ]


def _require_found(judge: Judge, planted: Sequence[Pair], found: Sequence[Judgment]) -> None:
    cleared = [
        pair.reference.example_id
        for pair, judgment in zip(planted, found, strict=True)
        if judgment.opinion == "no"
    ]
    if cleared:
        raise LeakageCheckError(
            f"gate judge: cleared {len(cleared)} of {len(planted)} planted leaks, test items"
            f" between other sentences, expected none; those made of {', '.join(cleared[:5])};"
            " it was asked about no candidate, and nothing was let through; name a better model in"
            f" `{judge.params.where}`, or take judge out of `dedupe_against_test.gates`"
        )


def _decide(answers: Sequence[tuple[Pair, Judgment]]) -> Decided:
    against = (each for each in answers if each[1].opinion != "no")
    return Decided(*next(against, answers[0]))


def _certified(
    judge: Judge,
    suspects: Sequence[Suspect],
    decided: Sequence[Decided],
    pairs: Sequence[Pair],
    judgments: Sequence[Judgment],
    of_planted: Sequence[Judgment],
) -> dict[str, Json]:
    opinions = Counter(each.judgment.opinion for each in decided)
    distinct = {each.request_id: each for each in [*of_planted, *judgments]}
    cleared = {each.pair.candidate_id for each in decided if each.judgment.opinion == "no"}
    planted: Json = "not applicable: nothing was asked"
    if suspects:
        planted = "not applicable: no test item can be put between other sentences"
    if of_planted:
        planted = {"planted": len(of_planted), "found": len(of_planted), "recall": 1.0}
    return {
        "settings": judge.settings,
        "reported_models": sorted({each.teacher for each in distinct.values() if each.teacher}),
        "asked": len(suspects),
        "answers": {opinion: opinions[opinion] for opinion in OPINIONS},
        "planted_leaks": planted,
        "test_items_shown": len({pair.reference.example_id for pair in pairs}),
        "pairs": {"asked": len(pairs), "not_asked": sum(each.n_beyond for each in suspects)},
        "requests": len(distinct),
        "tokens": {
            "prompt": _sum([each.n_prompt_tokens for each in distinct.values()]),
            "completion": _sum([each.n_completion_tokens for each in distinct.values()]),
        },
        "cleared": [
            {
                "example_id": pair.candidate_id,
                "reference_id": pair.reference.example_id,
                "cosine": pair.score,
                "request_id": judgment.request_id,
            }
            for pair, judgment in zip(pairs, judgments, strict=True)
            if pair.candidate_id in cleared
        ],
    }


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
