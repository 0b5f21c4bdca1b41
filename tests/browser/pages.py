"""Reports that a browser opens."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Each of these would run, load, hide or reorder something where a text became markup.
HOSTILE = (
    "</script><script>window.injected=1;alert(1)</script>"
    "<img src=x onerror='window.injected=2'><svg onload=window.injected=3></svg>"
    "<iframe src='javascript:parent.injected=4'></iframe><style>main{display:none}</style>"
    "<link rel=stylesheet href=http://127.0.0.1:9/x.css><base href=http://127.0.0.1:9/>"
    "<a href='javascript:window.injected=5'>x</a></pre></td></table></main></details><!-- <![CDATA["
    "\"' onfocus=window.injected=6 autofocus {{ 7*7 }} \\u003cscript\\u003e &lt;b&gt;"
    "\u202egnp.exe\u202c \u2067 \u05d0\u05d1 \u200b\u0007 \u2028 "
)
N_LARGE = 50_000


def report(root: Path, n_iterations: int) -> Path:
    """Run the stage in a project folder; give its page."""
    stage = str(ROOT / "stages/report.py")
    subprocess.run([sys.executable, stage, str(n_iterations)], cwd=root, check=True)
    return root / "data/report/index.html"
