"""The embedded base model: taken from the store where it was made before, else pretrained."""

import shutil
from collections.abc import Callable
from pathlib import Path

from llm2llm.ids import sha256_json
from llm2llm.params.base_model import BaseModelParams
from llm2llm.student.compute import importing, quiet
from llm2llm.student.embedded.pretraining import make_embedded_model
from llm2llm.student.versions import package_versions, sources_sha256
from llm2llm.work import is_complete, mark_complete, unit_of_work


def embedded_model(
    params: BaseModelParams,
    *,
    store: Path,
    on_wait: Callable[[str], None],
    on_progress: Callable[[int, int], None],
    use: Callable[[Path], None],
) -> None:
    """Give `use` the folder of the embedded model's files, under `store`, while the lock is held.

    Pretraining that was killed starts again; a finished one is taken without importing torch.
    """
    package = Path(__file__).parents[1]
    sources = (package / "student" / "embedded").glob("*.py")
    key = sha256_json(
        {
            # The number of threads does not change the bytes.
            "params": params.model_dump(include={"random_seed", "n_tokens"}),
            "versions": {**package_versions()},
            "code": sources_sha256(str(path.relative_to(package)) for path in sources),
        }
    )
    with unit_of_work(store, key, on_wait) as folder:
        model = folder / "model"
        if not is_complete(folder):
            shutil.rmtree(model, ignore_errors=True)
            with importing():
                import transformers
            quiet(transformers)
            make_embedded_model(
                model,
                random_seed=params.random_seed,
                n_tokens=params.n_tokens,
                threads=params.threads,
                on_progress=on_progress,
            )
            mark_complete(folder)
        use(model)
