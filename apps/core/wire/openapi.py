"""How the OpenAPI document is made: settings of drf-spectacular, and what our strict fields and bodies look like in it.

Imported by settings as text only: `SPECTACULAR_SETTINGS` needs nothing that is not there yet.
"""

from __future__ import annotations

from typing import Any

SPECTACULAR_SETTINGS: dict[str, Any] = {
    # A body that may leave everything out says so itself.
    "COMPONENT_SPLIT_PATCH": False,
    "TITLE": "Countinghouse internal API",
    "DESCRIPTION": (
        "Who belongs to which organization, what a workspace may do, what an organization can afford, and which "
        "connectors feed it. Amounts and quantities are decimal strings, times are RFC 3339 with an offset, ids are "
        "UUIDs in lower-case text form. Unknown fields are refused. Errors are problem documents (RFC 9457)."
    ),
    "VERSION": "1",
    # No licence is chosen yet (README); SPDX has no name of its own for that.
    "LICENSE": {"name": "For internal use; all rights reserved", "identifier": "LicenseRef-all-rights-reserved"},
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1/internal",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    # Choices are written where they stand: components named by guessing change their names when a field is added.
    "POSTPROCESSING_HOOKS": ["apps.core.wire.schema_extensions.finish"],
    "PREPROCESSING_HOOKS": ["apps.core.wire.schema_extensions.only_internal"],
    "ENABLE_DJANGO_DEPLOY_CHECK": False,  # `make test` runs the stricter `spectacular --validate --fail-on-warn`
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "serviceToken": {
                "type": "http",
                "scheme": "bearer",
                "description": "A product's token, made by staff and shown once.",
            },
            "cronToken": {
                "type": "http",
                "scheme": "bearer",
                "description": "An outside scheduler's token, made by staff and shown once.",
            },
            "session": {
                "type": "apiKey",
                "in": "cookie",
                "name": "sessionid",
                "description": (
                    "Somebody who is signed in to the billing pages or behind the second factor of the staff plane. "
                    "What changes something needs the header X-CSRFToken too; in production both cookies have the "
                    "prefix __Host-."
                ),
            },
        }
    },
}
