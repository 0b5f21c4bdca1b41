"""docs/start-extraction.md and docs/review.md, from the built wheel in an empty environment."""

import pytest
from walking import Walk

pytestmark = pytest.mark.timeout(1500)


def test_an_extractor_and_its_review(walk: Walk) -> None:
    """Each command does what its page says: mails, a student, its set reviewed and bundled."""
    walk.page("start-extraction.md")
    walk.page("review.md")
