"""Addresses of the tenant plane that belong to no page of their own app."""

from __future__ import annotations

from django.urls import path

from apps.tenants.notices_page import NoticesPage
from apps.tenants.sign_in.account import account
from apps.tenants.sign_in.forgot import forgot_password, forgot_password_sent
from apps.tenants.sign_in.impersonation import end_impersonation
from apps.tenants.sign_in.link_pages import sign_in_link
from apps.tenants.sign_in.oidc import oidc_begin, oidc_callback
from apps.tenants.sign_in.portal import portal_session
from apps.tenants.views import SignIn, billing_home, sign_out, start_page
from apps.tenants.workspace_pages import (
    HelpPage,
    MemberInvitation,
    MemberRemove,
    MemberRole,
    MembersPage,
    WorkspaceHome,
)

_WORKSPACE = "billing/<slug:workspace_slug>/"

urlpatterns = [
    path("", start_page, name="start"),
    path("sign-in/", SignIn.as_view(), name="sign-in"),
    path("sign-in/oidc/", oidc_begin, name="oidc-begin"),
    path("sign-in/oidc/callback/", oidc_callback, name="oidc-callback"),
    path("sign-in/forgot/", forgot_password, name="forgot-password"),
    path("sign-in/forgot/sent/", forgot_password_sent, name="forgot-password-sent"),
    path("sign-in/link/<str:token>/", sign_in_link, name="sign-in-link"),
    path("portal/<str:token>/", portal_session, name="portal-session"),
    path("account/", account, name="account"),
    path("impersonation/end/", end_impersonation, name="impersonation-end"),
    path("sign-out/", sign_out, name="sign-out"),
    path("billing/", billing_home, name="billing-home"),
    path(_WORKSPACE, WorkspaceHome.as_view(), name="billing-workspace"),
    path(f"{_WORKSPACE}help/", HelpPage.as_view(), name="billing-help"),
    path(f"{_WORKSPACE}settings/mails/", NoticesPage.as_view(), name="billing-notices"),
    path(f"{_WORKSPACE}members/", MembersPage.as_view(), name="billing-members"),
    path(f"{_WORKSPACE}members/<uuid:user_id>/role/", MemberRole.as_view(), name="billing-member-role"),
    path(f"{_WORKSPACE}members/<uuid:user_id>/remove/", MemberRemove.as_view(), name="billing-member-remove"),
    path(
        f"{_WORKSPACE}members/<uuid:user_id>/invitation/", MemberInvitation.as_view(), name="billing-member-invitation"
    ),
]
