"""Signing in through the company's identity service: OpenID Connect, authorization code with PKCE (spec 02).

`provider` talks to the service, `id_token` judges what it said; both refuse with `OidcError`, and sign nobody in.
"""

from __future__ import annotations
