"""Every source that a docstring cites by key stands in docs/references.bib, and none stands there uncited."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_cited_keys_are_those_of_the_bibliography() -> None:
    text = "\n".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
    cited = set(re.findall(r"`([a-z]+[12]\d{3}[a-z]+)`", text))
    listed = re.findall(r"^@\w+\{([^,]+),", (ROOT / "docs" / "references.bib").read_text("utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(cited)
