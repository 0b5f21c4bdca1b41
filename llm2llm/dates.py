"""Read a day from the forms that can mean one day only."""

import datetime
import re

_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_NUMBERS = {name: place for place, name in enumerate(_MONTHS, start=1)}
_NUMBERS |= {name[:3]: place for name, place in _NUMBERS.items()} | {"sept": 9}
_ISO = re.compile(r"(?P<y>[0-9]{4})-(?P<m>[0-9]{2})-(?P<d>[0-9]{2})")
_DAY, _MONTH, _YEAR = (
    r"(?P<d>[0-9]{1,2})(?:st|nd|rd|th)?",
    r"(?P<m>[a-z]{3,9})\.?",
    r"(?P<y>[0-9]{4})",
)
# Digits alone, day and month in either order, would mean two days: only the year first is clear,
# and the dots of those who never write the month first.
_OTHERS = (
    re.compile(r"(?P<y>[0-9]{4})[-/.](?P<m>[0-9]{1,2})[-/.](?P<d>[0-9]{1,2})"),
    re.compile(r"(?P<d>[0-9]{1,2})\.\s?(?P<m>[0-9]{1,2})\.\s?(?P<y>[0-9]{4})"),
    re.compile(rf"{_DAY}\s+(?:of\s+)?{_MONTH},?\s+{_YEAR}"),
    re.compile(rf"{_MONTH}\s+{_DAY},?\s+{_YEAR}"),
)


def day(text: str, *, iso_only: bool) -> str | None:
    """Write a day as YYYY-MM-DD; None where the text is none, or could mean two.

    Besides that form `3 May 2024`, `May 3rd, 2024`, `2024/5/3` and `3.5.2024` are read.
    """
    folded = " ".join(text.casefold().split())
    for form in (_ISO,) if iso_only else (_ISO, *_OTHERS):
        found = form.fullmatch(folded)
        if found:
            month = _NUMBERS.get(found["m"]) or (int(found["m"]) if found["m"].isdecimal() else 0)
            try:
                return datetime.date(int(found["y"]), month, int(found["d"])).isoformat()
            except ValueError:
                return None
    return None
