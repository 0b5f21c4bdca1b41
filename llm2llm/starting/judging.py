"""The judge of free text that a new project begins with: the teacher's own model."""

import yaml

from llm2llm.params.judge import AnswerJudgeParams
from llm2llm.starting.params_text import put_section

# The likeliest verdict, where the teacher's section says how freely it answers.
_TEMPERATURE = 0.0


def with_judge(text: str) -> str:
    """Fill `predict.judge` in a params.yaml, whose teacher has a model."""
    teaching = yaml.safe_load(text)["teacher_batch"]
    section = {
        name: teaching.get(name, field.get_default())
        for name, field in AnswerJudgeParams.model_fields.items()
    }
    chosen = section[teaching["backend"].replace("-", "_")]
    if chosen["temperature"] is not None:
        section[teaching["backend"].replace("-", "_")] = {**chosen, "temperature": _TEMPERATURE}
    return put_section(text, ("predict", "judge"), section)
