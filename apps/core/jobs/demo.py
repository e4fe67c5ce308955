"""Is an organization a demo? The app that owns organizations answers; jobs skip a demo unless told to include it.

The core imports no app (spec 10), so the question reaches it as a registered function.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from apps.core.registry import Registry

IsDemo = Callable[[UUID], bool]
SKIPPED_DEMO = (
    "Skipped: the organization is a demo, and jobs leave demos out. To run the job for it, send include_demo: true "
    "(manage.py run_job --include-demo, or the box on the Jobs page)."
)

_questions: Registry[IsDemo] = Registry("question about organizations")


def register_is_demo(is_demo: IsDemo) -> None:
    """Make this the one function that knows; a second registration is a mistake."""
    _questions.register("is_demo", is_demo)


def is_demo(organization_id: UUID) -> bool:
    return _questions["is_demo"](organization_id)
