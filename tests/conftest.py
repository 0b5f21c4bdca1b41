"""What is collected: data or packages that the project does not ship have a suite of their own.

tests/real needs data (`make real`), tests/with_vllm an environment with vLLM (`make test-vllm`).
"""

import os

_SUITES = {"real": "REAL_DATA", "with_vllm": "TEST_VLLM"}
collect_ignore = [suite for suite, variable in _SUITES.items() if not os.environ.get(variable)]
