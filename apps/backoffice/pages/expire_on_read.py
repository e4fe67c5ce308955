"""Expire grants on read: these pages first expire what is due, so that they don't depend on how late the job is."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.backoffice.staff import context_of
from apps.backoffice.staff_admin import RecordT, StaffAdmin
from apps.credits.services import account_apply_due, accounts_burn


class ExpireOnReadAdmin(StaffAdmin[RecordT]):
    """Expires the account's grants before its page, or the page of a record with an `account_id`, is shown."""

    def record_or_404(self, request: HttpRequest, object_id: object) -> RecordT:
        record = super().record_or_404(request, object_id)
        account_apply_due(context_of(request), account_id=getattr(record, "account_id", record.pk))
        return super().record_or_404(request, object_id)


class ExpireOnReadListAdmin(ExpireOnReadAdmin[RecordT]):
    """Does the same for the accounts of all rows of the list."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        changes = (getattr(response, "context_data", None) or {}).get("cl")
        if changes is not None:
            shown = {row.account_id for row in changes.result_list}
            if accounts_burn(context_of(request), account_ids=shown):
                changes.get_results(request)
        return response
