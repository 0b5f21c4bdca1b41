"""Let the control answer seeds, dev and test, and grade it."""

from pathlib import Path

from llm2llm.files import read_json
from llm2llm.measuring_stage import Place, measure_as_params_say, write_measured
from llm2llm.stage import run, say


def main() -> None:
    """Write the files of data/control/, without rows where the control is switched off."""
    folder = Path("data/control")
    if "checkpoint_sha256" not in read_json(folder / "student/manifest.json"):
        write_measured(folder, [], [], [])
        say("predict-control: switched off in params.yaml")
        return
    name = "predict-control"
    measure_as_params_say(Place(name, folder, recorded=name, lock=Path("dvc.lock")))


if __name__ == "__main__":
    run(main)
