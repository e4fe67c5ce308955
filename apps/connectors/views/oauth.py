"""The one way to Google and the one way back, for every Google provider (spec 06, Google authorization).

Both are GET requests that a browser follows. The session cookie is `Lax`, so it comes along on the way back.
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.views import View

from apps.connectors.ids import ConnectorId
from apps.connectors.models import AuthorizationAttempt, Connector
from apps.connectors.selectors.connectors import connector_of
from apps.connectors.services.authorizations import (
    AuthorizationFailedError,
    GoogleAnswer,
    Traveller,
    attempt_that_began,
    authorization_begin,
    authorization_complete,
    authorization_refuse,
)
from apps.core.context import ExecutionContext
from apps.core.errors import CountinghouseError, NotFoundError
from apps.core.ids import UserId
from apps.core.observability.requests import current_request_id
from apps.tenants.access import page_context, task_context
from apps.tenants.models import User

_HIDDEN = "There is nothing here that you can see."


class GoogleView(View):
    """Signed-in people alone. The tenant is that of the connector, and decided where every page's is."""

    operations: ClassVar[dict[str, str]] = {"GET": "connector.edit"}
    http_method_names: ClassVar[list[str]] = ["get"]  # type: ignore[misc] # Django's own declaration is mutable

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        """Send strangers to the sign-in."""
        if not isinstance(request.user, User):
            return redirect_to_login(request.get_full_path())
        response = super().dispatch(request, *args, **kwargs)
        # The address carries a code: no other site learns of it.
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        return response


class GoogleAuthorizeView(GoogleView):
    """Sets out for Google."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """302 to Google. A connector that the person can't see answers as one that is not there."""
        connector = _visible_connector(request.GET.get("connector", ""))
        context = _context_of(request, connector)
        address = authorization_begin(context, connector_id=ConnectorId(connector.pk), traveller=_traveller(request))
        return HttpResponseRedirect(address)


class GoogleCallbackView(GoogleView):
    """Comes back from Google."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """302 to the connector's page with a sentence; 403 for an answer that does not belong to what was begun."""
        answer = GoogleAnswer(
            state=request.GET.get("state", ""),
            code=request.GET.get("code", "")[:2048],
            error=request.GET.get("error", "")[:100],
        )
        attempt = attempt_that_began(answer.state)
        connector = attempt.connector
        try:
            context = _context_of(request, connector)
        except NotFoundError as error:
            raise self._of_another_person(attempt) from error
        try:
            authorization_complete(context, attempt=attempt, traveller=_traveller(request), answer=answer)
        except AuthorizationFailedError as failure:
            messages.error(request, failure.detail)
        else:
            messages.success(request, f"{connector.name} is authorized at Google.")
        return HttpResponseRedirect(reverse("billing-connector", args=[connector.workspace.slug, connector.pk]))

    def _of_another_person(self, attempt: AuthorizationAttempt) -> CountinghouseError:
        # This person has no context in the workspace; what is noted there is noted by the system.
        context = task_context(
            "google-callback",
            organization=attempt.connector.workspace.organization,
            request_id=current_request_id(),
        )
        return authorization_refuse(context, attempt=attempt, why="The authorization was begun by another person.")


def _visible_connector(text: str) -> Connector:
    try:
        return connector_of(ConnectorId(uuid.UUID(text)))
    except (ValueError, NotFoundError) as error:
        raise NotFoundError(_HIDDEN) from error


def _context_of(request: HttpRequest, connector: Connector) -> ExecutionContext:
    assert isinstance(request.user, User)  # noqa: S101 - `dispatch` has let nobody else through
    return page_context(request.user, workspace_slug=connector.workspace.slug, request_id=current_request_id())


def _traveller(request: HttpRequest) -> Traveller:
    assert isinstance(request.user, User)  # noqa: S101 - as above
    return Traveller(
        user_id=UserId(request.user.pk),
        session_key=request.session.session_key or "",
        redirect_uri=request.build_absolute_uri(reverse("google-callback")),
    )
