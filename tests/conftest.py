"""What is collected: tests/real needs data that is not in the project (`make real`)."""

import os

collect_ignore = [] if os.environ.get("REAL_DATA") else ["real"]
