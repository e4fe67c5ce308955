"""The trigger that counts the versions of a record, whoever changes it and by whatever means."""

from __future__ import annotations

import pgtrigger


def counts_versions(name: str) -> pgtrigger.Trigger:
    """Move `version` on by one with every update that changes anything, also a raw one, and never otherwise.

    So a person who has seen a version can be told for certain that the record moved on since.
    """
    return pgtrigger.Trigger(
        name=name,
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        func=(
            "NEW.version = OLD.version;"
            " IF NEW IS DISTINCT FROM OLD THEN NEW.version = OLD.version + 1; END IF;"
            " RETURN NEW;"
        ),
    )
