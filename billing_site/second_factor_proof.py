"""The proof of a second factor that an ID token must carry for staff (spec 02, How people sign in)."""

from __future__ import annotations

import re

PROOF_FORM = "amr=mfa or acr=urn:example:mfa, with what your identity service says after a second factor"
# Visible ASCII without quotes: what goes into a parameter whose values stand between spaces.
_PROOF = re.compile(r"(?:amr|acr)=[!#-&(-\[\]-~]{1,200}")
# What a password alone is told by (RFC 8176), and the level that asserts nothing (OpenID Connect Core, 2).
_NO_PROOFS = {"amr": frozenset({"pwd", "pin", "kba"}), "acr": frozenset({"0"})}


def second_factor_proof(text: str) -> tuple[str, str]:
    """The claim of an ID token, and what it must say for a second factor."""
    name, _, wanted = text.partition("=")
    if not _PROOF.fullmatch(text):
        raise ValueError(f"is {text!r}; it must be {PROOF_FORM}.")
    if wanted in _NO_PROOFS[name]:
        raise ValueError(f"is {text!r}, which proves no second factor; it must be such as {PROOF_FORM}.")
    return name, wanted
