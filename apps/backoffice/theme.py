"""The `UNFOLD` setting. Callables are given as paths, since settings load before the apps."""

from __future__ import annotations

from typing import Any

from django.urls import reverse_lazy

# Ink and paper: a warm grey for surfaces, a ledger green for what can be done.
_PAPER = {
    "50": "oklch(98.6% .003 95)",
    "100": "oklch(96.8% .004 95)",
    "200": "oklch(92.6% .006 95)",
    "300": "oklch(86.9% .008 95)",
    "400": "oklch(70.9% .012 90)",
    "500": "oklch(54.5% .012 85)",
    "600": "oklch(43.9% .011 85)",
    "700": "oklch(36.8% .010 80)",
    "800": "oklch(26.6% .008 80)",
    "900": "oklch(20.8% .007 80)",
    "950": "oklch(14.2% .005 80)",
}
_LEDGER_GREEN = {
    "50": "oklch(97.6% .014 170)",
    "100": "oklch(94.3% .032 169)",
    "200": "oklch(88.6% .060 168)",
    "300": "oklch(81.0% .088 167)",
    "400": "oklch(72.6% .106 166)",
    "500": "oklch(62.0% .104 166)",
    "600": "oklch(50.2% .090 167)",
    "700": "oklch(42.6% .076 168)",
    "800": "oklch(36.0% .062 169)",
    "900": "oklch(30.4% .050 170)",
    "950": "oklch(20.6% .034 171)",
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Countinghouse",
    "SITE_HEADER": "Countinghouse",
    "SITE_SUBHEADER": "Billing back office",
    "SITE_SYMBOL": "account_balance",
    "SITE_URL": None,
    "ACCOUNT": {
        "navigation": [
            {"title": "Change password", "link": reverse_lazy("admin:password_change")},
            {"title": "Second factor", "link": reverse_lazy("admin:second_factor_settings")},
        ]
    },
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": False,
    "BORDER_RADIUS": "6px",
    "COLORS": {"base": _PAPER, "primary": _LEDGER_GREEN},
    "STYLES": ["apps.backoffice.navigation.stylesheet"],
    "SCRIPTS": ["apps.backoffice.navigation.script"],
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "apps.backoffice.navigation.favicon"}],
    "ENVIRONMENT": "apps.backoffice.navigation.environment_label",
    "COMMAND": {"search_models": False, "show_history": False},
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": False,
        "navigation": "apps.backoffice.navigation.sidebar",
    },
}
