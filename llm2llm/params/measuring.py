"""Section `predict` as a whole: how students answer, and who judges free text."""

from llm2llm.params.judge import AnswerJudgeParams
from llm2llm.params.predict import PredictParams


class MeasuringParams(PredictParams):
    """`judge` is a section for tasks of the kind free, whose answers it is shown; else null."""

    judge: AnswerJudgeParams | None

    @property
    def answering(self) -> PredictParams:
        """What decides the answers: whoever judges them is no part of it."""
        return PredictParams.model_validate(self.model_dump(exclude={"judge"}))
