"""Section `train_control`: the seed set alone, trained for as many updates as the last set."""

from llm2llm.params.section import Section


class TrainControlParams(Section):
    """`enabled` false leaves the control out of the report."""

    enabled: bool
