"""The application of whatever settings the environment names, behind the product's front."""

from __future__ import annotations

from django.core.wsgi import get_wsgi_application

wsgi_application = get_wsgi_application()

from billing_site.web.front import Front  # noqa: E402 - it wants Django set up

application = Front(wsgi_application, threads=2)
