"""The exception tree: every failure a user can meet, each message ending with what helps."""


class Llm2llmError(Exception):
    """Root of the tree; its message is shown to the user as it is, without a traceback."""

    exit_code = 1


class ParamsError(Llm2llmError):
    """params.yaml, a task file or the pool does not hold."""

    exit_code = 2


class DataError(Llm2llmError):
    """A file that a person gave, or an earlier stage wrote, cannot be used as it is."""

    exit_code = 3


class CountError(Llm2llmError):
    """Counts do not balance: something would be lost or doubled."""

    exit_code = 4


class LeakageCheckError(Llm2llmError):
    """The leakage check cannot vouch for its result, so nothing is let through."""

    exit_code = 5


class TeacherError(Llm2llmError):
    """The teacher cannot go on; answers that came are in the ledger."""

    exit_code = 6


class StudentError(Llm2llmError):
    """A base model, a checkpoint or a training state cannot be used."""

    exit_code = 7


class MachineError(Llm2llmError):
    """The machine, the folder or an installed package stands in the way."""

    exit_code = 8

    @classmethod
    def of(cls, failure: OSError) -> "MachineError":
        """Word what the system refused a stage."""
        return cls(f"{failure}; mend it and run `dvc repro` again")
