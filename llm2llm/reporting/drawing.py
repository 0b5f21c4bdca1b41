"""Render charts as SVG and PNG; equal numbers give equal bytes."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STYLE = {
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 10,
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "axes.axisbelow": True,
}
_DPI = 160


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing with a name for its files; `words` say what it shows, `size` is in inches."""

    name: str
    words: str
    draw: Callable[["Axes"], None]
    size: tuple[float, float]

    def svg(self) -> str:
        """Render as a file of its own; ids start with the name, so charts can share a page."""
        svg = self._rendered("svg", {"Date": None, "Title": self.words}).decode()
        svg = re.sub(r'(\bid="|"#|url\(#)', rf"\g<1>{self.name}-", svg)
        return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"

    def png(self) -> bytes:
        """Render for those who can show no SVG."""
        return self._rendered("png", {"Software": None})

    def inline(self) -> str:
        """Render for a page that allows no style attributes and sets colors and fonts itself."""
        svg = self.svg()
        svg = svg[svg.index("<svg") :].replace("<svg", '<svg role="img"', 1)
        svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
        svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
        svg = re.sub(r' style="([^"]*)"', _attributes, svg)
        return re.sub(r"\s*\n\s*", "\n", svg)

    def _rendered(self, form: str, metadata: dict[str, str | None]) -> bytes:
        import matplotlib
        from matplotlib.figure import Figure

        with matplotlib.rc_context({**_STYLE, "svg.hashsalt": self.name}):
            figure = Figure(figsize=self.size, layout="constrained")
            self.draw(figure.add_subplot())
            stream = io.BytesIO()
            figure.savefig(stream, format=form, metadata=metadata, dpi=_DPI)
        return stream.getvalue()


def _attributes(style: re.Match[str]) -> str:
    """Turn a style attribute into attributes of its own, which every property here has."""
    parts = (part.partition(":") for part in style.group(1).split(";") if part.strip())
    return "".join(f' {name.strip()}="{value.strip()}"' for name, _, value in parts)
