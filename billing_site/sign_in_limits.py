"""Which plane answers when django-axes locks somebody out: the one at whose door they stood."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from apps.backoffice.sign_in.views import locked_out as locked_out_of_staff_plane
from apps.tenants.views import locked_out as locked_out_of_tenant_plane


def locked_out(request: HttpRequest, response: HttpResponse | None, credentials: dict[str, Any] | None) -> HttpResponse:
    """The `AXES_LOCKOUT_CALLABLE`. Failures are counted over both planes together."""
    is_staff_plane = request.path_info.startswith(reverse("admin:index"))
    answer = locked_out_of_staff_plane if is_staff_plane else locked_out_of_tenant_plane
    return answer(request, response, credentials)
