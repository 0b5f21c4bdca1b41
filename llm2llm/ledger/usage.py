"""How long a model's answers were."""

from llm2llm.ledger.database import Ledger


def mean_completion_tokens(
    ledger: Ledger, backend: str, model: str | None, *, solving: bool, purpose: str | None = None
) -> float | None:
    """Average the completion tokens of a model's answers; null where none was counted.

    `solving` chooses the answers that solve a problem, else those that write one; those of a judge
    count in neither, but where `purpose` names theirs.
    """
    query = (
        "SELECT AVG(n_completion_tokens) FROM requests WHERE backend = ? AND status = 'answered'"
        " AND json_extract(request, '$.teacher.model') IS ?"
        " AND (json_extract(request, '$.about') IS NOT NULL) = ?"
        " AND json_extract(request, '$.purpose') IS ?"
    )
    with ledger.reading() as connection:
        (mean,) = connection.execute(query, [backend, model, solving, purpose]).fetchone()
    return None if mean is None else float(mean)
