"""Song Genre Classification: the code behind the notebooks."""

import sys

from songgenre.runtime import instruction_level

# jsonschema, which nbformat uses, takes a second to load this package, only to check IRIs. No schema here has any, and
# jsonschema does without it where it cannot be imported.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

instruction_level.pin()
