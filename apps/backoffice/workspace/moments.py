"""The "as of" field of the page: which moment somebody asks for, or why it can't be shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from apps.core.moments import MomentError, read_iso_moment
from apps.tenants.models import Workspace


@dataclass(frozen=True, slots=True)
class AskedMoment:
    """The moment, if one was asked for that there was; `problem` says in words why not."""

    text: str = ""
    moment: datetime | None = None
    problem: str = ""


def asked_moment(text: str, workspace: Workspace, now: datetime) -> AskedMoment:
    """Read the field, which is in UTC. A moment to come, or before the workspace was made, is none to be shown."""
    text = text.strip()
    if not text:
        return AskedMoment()
    try:
        moment = read_iso_moment(text)
    except MomentError:
        return AskedMoment(text, problem="That is no day and time. This is how it is now.")
    if moment > now:
        return AskedMoment(text, problem="That moment is still to come. This is how it is now.")
    if moment < workspace.created_at:
        made = f"{workspace.created_at:%-d %B %Y, %H:%M} UTC"
        return AskedMoment(text, problem=f"The workspace was made on {made}. This is how it is now.")
    return AskedMoment(moment.strftime("%Y-%m-%dT%H:%M"), moment)
