"""Which params of a run its bundle tells: those that a byte of the data may depend on."""

from collections.abc import Mapping, Sequence
from typing import Any

_NOT_OF_DATA = ("runtime", "report")
# Sections that name a teacher or a judge.
_WITH_REPLAY = (("teacher_batch",), ("dedupe_against_test", "judge"), ("predict", "judge"))


def params_told(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the others; the values stay as they are.

    Answers from the ledger are the answers: a replayed run gives the same bundle.
    """
    told = {name: value for name, value in values.items() if name not in _NOT_OF_DATA}
    for path in _WITH_REPLAY:
        told = _without_replay(told, path)
    return told


def _without_replay(values: Mapping[str, Any], path: Sequence[str]) -> dict[str, Any]:
    if not path:
        return {name: value for name, value in values.items() if name != "replay"}
    section = values.get(path[0])
    if not isinstance(section, Mapping):
        return dict(values)
    return {**values, path[0]: _without_replay(section, path[1:])}
