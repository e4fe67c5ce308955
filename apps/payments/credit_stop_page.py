"""Whether an organization's connectors stop while it has no credits. A part of Settings, under its own address."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.connectors.enums import ConnectorStatus
from apps.connectors.models import Connector
from apps.core.moments import write_day, zone_of
from apps.payments.models import CreditStop
from apps.payments.services.credit_stops import CREDIT_STOP_OPERATION, credit_stop_change, has_run_out
from apps.tenants.pages import BillingPage

_OFF = "Saved. Connectors go on when credits run out."
_ON = "Saved. Connectors stop when credits run out, and start again once there are credits."
_STOPPED = "Saved. There are no credits, so the connectors are stopped now. They start again once there are credits."


class CreditStopPage(BillingPage):
    """How the switch stands, for everybody; the button for those who may press it."""

    operations: ClassVar[dict[str, str]] = {"GET": "settings.read", "POST": CREDIT_STOP_OPERATION}
    page = "settings"

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """The page, with what the switch would do at this moment."""
        stop = CreditStop.objects.filter(pk=self.organization_id).first()
        ours = Connector.objects.filter(workspace__organization=self.organization_id, removed_at=None)
        zone = zone_of(self.workspace.organization.time_zone)
        facts = {
            "is_on": stop is not None,
            "stopped_on": write_day(stop.stopped_at, zone) if stop and stop.stopped_at else "",
            "is_empty": has_run_out(self.organization_id),
            "running": ours.filter(status=ConnectorStatus.ENABLED).count(),
            "obstacle": self.obstacle(CREDIT_STOP_OPERATION),
        }
        return self.render("payments/credit_stop.html", facts, title="When credits run out")

    def post(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """Set the switch as the button says; a switch that stands so already stays, and says so."""
        wanted = request.POST.get("is_on")
        if wanted not in {"yes", "no"}:
            messages.error(request, "Nothing was changed. Choose one of the two below.")
        else:
            stop = credit_stop_change(
                self.execution_context, organization_id=self.organization_id, is_on=wanted == "yes"
            )
            messages.success(request, _OFF if stop is None else _STOPPED if stop.stopped_at else _ON)
        return HttpResponseRedirect(reverse("billing-credit-stop", args=[workspace_slug]))
