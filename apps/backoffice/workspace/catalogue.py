"""Every verb of the workspace page by name. A verb that is not here does not exist."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from apps.backoffice.workspace.payment_verbs import PAYMENT_VERBS
from apps.backoffice.workspace.subscription_verbs import SUBSCRIPTION_VERBS
from apps.backoffice.workspace.verbs import Verb
from apps.backoffice.workspace.workspace_verbs import OTHER_VERBS

VERBS: Mapping[str, Verb] = MappingProxyType(
    {verb.name: verb for verb in (*SUBSCRIPTION_VERBS, *PAYMENT_VERBS, *OTHER_VERBS)}
)
