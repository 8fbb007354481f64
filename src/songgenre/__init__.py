"""Song Genre Classification: what the notebooks call."""

import sys

# nbformat's jsonschema would spend a second on this grammar of IRIs, which nothing here checks.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
