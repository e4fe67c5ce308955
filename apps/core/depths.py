"""How deep a value from outside may be nested: ours to say, as each version of Python reads another depth of JSON."""

from __future__ import annotations

from typing import Any

# Far more than anybody means, and few enough for whatever walks a value by calling itself.
DEEPEST = 250


def is_too_deep(value: Any) -> bool:
    """Whether objects and lists stand in one another more than 250 times. Walks without calling itself."""
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True
