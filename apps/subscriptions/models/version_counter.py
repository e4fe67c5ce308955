"""The trigger that counts the versions of a record, whoever changes it and by whatever means."""

from __future__ import annotations

from collections.abc import Sequence

import pgtrigger


def counts_versions(name: str, *, table: str = "", without: Sequence[str] = ()) -> pgtrigger.Trigger:
    """Move `version` on by one with every update that changes anything, also a raw one, and never otherwise.

    So a person who has seen a version can be told for certain that the record moved on since. An update of the fields
    `without` of the `table` alone is no news.
    """
    if without:
        kept = "".join(f" compared.{field} = OLD.{field};" for field in without)
        return pgtrigger.Trigger(
            name=name,
            when=pgtrigger.Before,
            operation=pgtrigger.Update,
            declare=[("compared", table)],
            func=(
                f"NEW.version = OLD.version; compared = NEW;{kept}"
                " IF compared IS DISTINCT FROM OLD THEN NEW.version = OLD.version + 1; END IF;"
                " RETURN NEW;"
            ),
        )
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
