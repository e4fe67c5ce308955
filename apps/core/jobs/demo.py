"""Is an organization a demo? The app that owns organizations answers; jobs skip a demo unless told to include it.

The core imports no app (spec 10), so the question reaches it as a registered function.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

IsDemo = Callable[[UUID], bool]
SKIPPED_DEMO = (
    "Skipped: the organization is a demo, and jobs leave demos out. To run the job for it, send include_demo: true "
    "(manage.py run_job --include-demo, or the box on the Jobs page)."
)

_registered: list[IsDemo] = []


def register_is_demo(is_demo: IsDemo) -> None:
    """Make this the one function that knows; a second registration is a mistake."""
    if _registered:
        raise RuntimeError("Whether an organization is a demo is answered in one place; a function is registered.")
    _registered.append(is_demo)


def is_demo(organization_id: UUID) -> bool:
    """Whether the organization is a demo. Raises `RuntimeError` where no app has registered the answer."""
    if not _registered:
        raise RuntimeError("No app says which organizations are demos; see apps.core.jobs.demo.register_is_demo.")
    return _registered[0](organization_id)
