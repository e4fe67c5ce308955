"""The two redirects of an authorization: to the OAuth server, and back to its callback (spec 06, Google authorization).

Both are GET requests that a browser follows. The session cookie is `Lax`, so it is sent with the callback.
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.views import View

from apps.connectors.contracts import OAuthServer
from apps.connectors.ids import ConnectorId
from apps.connectors.models import Connector
from apps.connectors.providers.registry import oauth_servers
from apps.connectors.selectors.connectors import connector_of
from apps.connectors.services.authorizations import (
    AuthorizationFailedError,
    AuthorizationResponse,
    UserAgent,
    attempt_of_state,
    authorization_begin,
    authorization_complete,
    authorization_refuse,
)
from apps.core.context import ExecutionContext
from apps.core.errors import NotFoundError
from apps.core.ids import UserId
from apps.core.observability.requests import current_request_id
from apps.tenants.access import page_context, task_context
from apps.tenants.models import User


def oauth_routes() -> list[URLPattern]:
    """The routes of every OAuth server, named `<server>-authorize` and `<server>-callback`."""
    return [
        path(f"connectors/{server.name}/{action}", view.as_view(server=server), name=f"{server.name}-{action}")
        for server in oauth_servers()
        for action, view in (("authorize", AuthorizeView), ("callback", CallbackView))
    ]


class OAuthView(View):
    """For signed-in people. The tenant is the connector's, resolved as for every page."""

    operations: ClassVar[dict[str, str]] = {"GET": "connector.credential"}
    http_method_names: ClassVar[list[str]] = ["get"]  # type: ignore[misc] # Django's own declaration is mutable
    server: OAuthServer = None  # type: ignore[assignment] # `as_view` takes only names that the class has

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        """Redirect strangers to the sign-in."""
        if not isinstance(request.user, User):
            return redirect_to_login(request.get_full_path())
        response = super().dispatch(request, *args, **kwargs)
        # The address carries a code: no other site learns of it.
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        return response

    def agent(self) -> UserAgent:
        """The browser of this request."""
        return UserAgent(
            server=self.server,
            user_id=UserId(self._user.pk),
            session_key=self.request.session.session_key or "",
            redirect_uri=self.request.build_absolute_uri(reverse(f"{self.server.name}-callback")),
        )

    def context_for(self, connector: Connector) -> ExecutionContext:
        """The person's context in the workspace; raises `NotFoundError` where they have none."""
        return page_context(self._user, workspace_slug=connector.workspace.slug, request_id=current_request_id())

    @property
    def _user(self) -> User:
        assert isinstance(self.request.user, User)  # noqa: S101 - `dispatch` lets nobody else through
        return self.request.user


class AuthorizeView(OAuthView):
    """Starts an authorization."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """302 to the server. A connector that the person can't see answers like one that does not exist."""
        try:
            connector = connector_of(ConnectorId(uuid.UUID(request.GET.get("connector", ""))))
        except (ValueError, NotFoundError) as error:
            raise NotFoundError("There is nothing at this address, or it is not visible to you.") from error
        context = self.context_for(connector)
        url = authorization_begin(
            context,
            connector_id=ConnectorId(connector.pk),
            agent=self.agent(),
            may_write=request.GET.get("write") == "1",
        )
        return HttpResponseRedirect(url)


class CallbackView(OAuthView):
    """Completes an authorization."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """302 to the connector's page with a message; 403 for a response that belongs to no attempt of this person."""
        response = AuthorizationResponse(
            state=request.GET.get("state", ""),
            code=request.GET.get("code", "")[:2048],
            error=request.GET.get("error", "")[:100],
        )
        attempt = attempt_of_state(response.state)
        connector = attempt.connector
        try:
            context = self.context_for(connector)
        except NotFoundError as error:
            # This person has no context in the workspace, so the system records the refusal there.
            system = task_context(
                f"{self.server.name}-callback",
                organization=connector.workspace.organization,
                request_id=current_request_id(),
            )
            why = "The authorization was started by another person."
            raise authorization_refuse(system, attempt=attempt, why=why) from error
        try:
            authorization_complete(context, attempt=attempt, agent=self.agent(), response=response)
        except AuthorizationFailedError as failure:
            messages.error(request, failure.detail)
        else:
            messages.success(request, f"{connector.name} is authorized at {self.server.label}.")
        return HttpResponseRedirect(reverse("billing-connector", args=[connector.workspace.slug, connector.pk]))
