"""Ship the pipeline's files, which stand once at the top of the repository, inside the package."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
STAGES = sorted((ROOT / "stages").glob("*.py")) + sorted((ROOT / "stages").glob("*.yaml"))
FILES = ["dvc.yaml", *(f"stages/{path.name}" for path in STAGES)]


class BuildWithPipeline(build_py):
    """Copy the pipeline to llm2llm/pipeline; an editable install reads it where it stands."""

    def run(self) -> None:
        """Copy after the modules."""
        super().run()
        if self.editable_mode:
            return
        for name in FILES:
            target = Path(self.build_lib) / "llm2llm/pipeline" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target)


setup(cmdclass={"build_py": BuildWithPipeline})
