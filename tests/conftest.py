"""What is collected: data or packages that the project does not ship have a suite of their own.

tests/real needs data (`make real`), tests/with_vllm an environment with vLLM (`make test-vllm`),
tests/bundle one with readers of data sets and trainers (`make test-bundle`), tests/browser Chromium
(`make test-browser`), tests/walks data and minutes (`make test-walks`).
"""

import os

from hypothesis import settings

_SUITES = {
    "real": "REAL_DATA",
    "with_vllm": "TEST_VLLM",
    "bundle": "TEST_BUNDLE",
    "browser": "TEST_BROWSER",
    "walks": "TEST_WALKS",
}
collect_ignore = [suite for suite, variable in _SUITES.items() if not os.environ.get(variable)]

# A busy machine is no fault of the code: no example may fail by the time it takes.
# CI tries the same examples each time; elsewhere new ones may find something.
settings.register_profile("llm2llm", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("llm2llm")
