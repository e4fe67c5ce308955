"""The parts of a section of the workspace page. A section is one builder, listed in `sections.SECTIONS`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.backoffice.cells import Tone
from apps.backoffice.panels import Fact, Panel
from apps.backoffice.verbs import Button
from apps.backoffice.workspace.subject import WorkspaceSubject


@dataclass(frozen=True, slots=True)
class Callout:
    """A highlighted sentence, with the names of the verbs that resolve it."""

    text: str | SafeString
    tone: Tone = "warn"
    icon: str = "flag"
    verbs: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """What a builder returns. `content` is what a template of its own needs beyond facts and rows."""

    title: str
    icon: str
    about: str = ""
    facts: Sequence[Fact] = ()
    callouts: Sequence[Callout] = ()
    panel: Panel | None = None
    empty: str = ""
    links: Sequence[tuple[str, str]] = ()
    template: str = "backoffice/workspace/section.html"
    content: object = None
    is_wide: bool = False


Build = Callable[[HttpRequest, WorkspaceSubject], Section]
Offer = Callable[[HttpRequest, WorkspaceSubject], list[Button]]


@dataclass(frozen=True, slots=True)
class SectionSpec:
    """Who may see a section, and how it is built. Without `has_history` it is left out as of a moment.

    `offer` adds verbs of another record's page; the page's own verbs name their section.
    """

    name: str
    operation: str
    build: Build
    has_history: bool = False
    offer: Offer | None = None


@dataclass(frozen=True, slots=True)
class ShownSection:
    """A section as the template shows it, with the verbs that the user may use now."""

    name: str
    section: Section
    verbs: Sequence[Button] = field(default_factory=tuple)

    @property
    def usual_verbs(self) -> list[Button]:
        return [button for button in self._beside_callouts if not button.verb.is_rare]

    @property
    def rare_verbs(self) -> list[Button]:
        """The verbs behind "More"."""
        return [button for button in self._beside_callouts if button.verb.is_rare]

    @property
    def callouts(self) -> list[tuple[Callout, list[Button]]]:
        """Each callout with the buttons of its verbs."""
        return [
            (callout, [button for button in self.verbs if button.verb.name in callout.verbs])
            for callout in self.section.callouts
        ]

    @property
    def _beside_callouts(self) -> list[Button]:
        called = {name for callout in self.section.callouts for name in callout.verbs}
        return [button for button in self.verbs if button.verb.name not in called]
