"""When an organization is told that its credits run low, and who is. A part of Settings, under its own address."""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.reporting.models import AlertThreshold
from apps.reporting.rules.alerts import Audience, ThresholdError, in_words, read_thresholds, write_thresholds
from apps.reporting.selectors.alerts import wanted_alerts
from apps.reporting.services.alerts import CHANGE_OPERATION, balance_alerts_change
from apps.tenants.pages import BillingPage

_TYPED = ("percent", "credits", "days")


class BalanceAlertsPage(BillingPage):
    """How each threshold stands, and the form to set them."""

    operations: ClassVar[dict[str, str]] = {"GET": CHANGE_OPERATION, "POST": CHANGE_OPERATION}
    page = "settings"

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """The page; before the job looked at the account, with the usual thresholds."""
        return self._show()

    def post(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """Set the thresholds; what can't be comes back beside its field, and nothing was changed."""
        typed = {name: request.POST.get(name, "") for name in _TYPED}
        try:
            thresholds = read_thresholds(**typed)
        except ThresholdError as error:
            return self._show(typed=typed, error=error)
        chosen = request.POST.get("audience") == Audience.REPORT_RECIPIENTS
        has_changed = balance_alerts_change(
            self.execution_context,
            organization_id=self.organization_id,
            thresholds=thresholds,
            audience=Audience.REPORT_RECIPIENTS if chosen else Audience.ADMINS,
        )
        messages.success(request, self._sentence(has_changed=has_changed, is_on=bool(thresholds)))
        return HttpResponseRedirect(reverse("billing-balance-alerts", args=[workspace_slug]))

    @staticmethod
    def _sentence(*, has_changed: bool, is_on: bool) -> str:
        if not has_changed:
            return "Nothing was changed."
        return "Saved. The alerts apply from now on." if is_on else "Saved. Nobody is warned any more."

    def _show(self, *, typed: dict[str, str] | None = None, error: ThresholdError | None = None) -> HttpResponse:
        wanted = wanted_alerts(self.organization_id)
        rows: list[AlertThreshold] = list(wanted.settings.thresholds.all()) if wanted.settings else []
        by_threshold = {row.threshold: row for row in rows}
        facts = {
            "lines": [(in_words(one), by_threshold.get(one)) for one in wanted.thresholds],
            "is_usual": wanted.settings is None or not wanted.settings.is_chosen,
            "typed": typed or write_thresholds(wanted.thresholds),
            "audiences": list(Audience),
            "audience": self.request.POST.get("audience", wanted.audience),
            "error": error,
        }
        status = HTTPStatus.OK if error is None else HTTPStatus.UNPROCESSABLE_ENTITY
        return self.render("reporting/balance_alerts.html", facts, title="Balance alerts", status=status)
