"""Teal translates texts: an HTTP server with members, invitations and credits of its own.

    COUNTINGHOUSE_URL=http://localhost:8000 COUNTINGHOUSE_TOKEN=… EXPORT_KEY=… PORT=9000 \\
        python -m examples.product customers.json

One request at a time, and everything in memory: a real product has a database.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from examples.product.billing import Body, Countinghouse, UnreachableError

PAGE = 100
NOT_FOUND = (404, {"detail": "There is no such page."})
# Of (organization, user).
Key = tuple[str, str]


def charge_of(words: int) -> int:
    """Hundredths of a credit: 0.0015 credits a word, rounded up. Countinghouse rounds half up, as policy.json says."""
    return -(-words * 15 // 100)


def text_of(hundredths: int) -> str:
    """Amounts go over the wire as decimal strings, never as floats."""
    return f"{hundredths // 100}.{hundredths % 100:02d}"


@dataclass
class Teal:
    """The product. `balances` are hundredths of a credit by organization."""

    billing: Countinghouse
    members: dict[Key, Body]
    balances: dict[str, int]
    invitations: dict[str, Body] = field(default_factory=dict)
    # Organizations on which Countinghouse decided when it was last asked.
    central: set[str] = field(default_factory=set)

    # --- Members ------------------------------------------------------------------------------------------------------
    def invite(self, body: Body) -> tuple[int, Body]:
        """`{organization_id, email, name, role}`: the code goes to the person by mail."""
        code = secrets.token_urlsafe(16)
        self.invitations[code] = {name: body[name] for name in ("organization_id", "email", "name", "role")}
        return 201, {"code": code}

    def accept(self, code: str, body: Body) -> tuple[int, Body]:
        """`{user_id}`, as the identity service knows them: a member here, and reported in the same breath."""
        invitation = self.invitations.pop(code, None)
        if invitation is None:
            return 404, {"detail": "This invitation was used, or never made."}
        organization_id, user_id = invitation["organization_id"], body["user_id"]
        member = {
            "organization_id": organization_id,
            "user_id": user_id,
            "role": invitation["role"],
            "changed_at": datetime.now(UTC).isoformat(),
        }
        self.members[organization_id, user_id] = member
        person = {"id": user_id, "email": invitation["email"], "name": invitation["name"]}
        report = {name: member[name] for name in ("user_id", "role", "changed_at")}
        statuses = self.billing.report("POST", "users:upsert", person)
        statuses += self.billing.report("POST", f"organizations/{organization_id}/members:upsert", report)
        return 201, {"role": member["role"], "reported": statuses}

    def remove(self, organization_id: str, user_id: str) -> tuple[int, Body]:
        if self.members.pop((organization_id, user_id), None) is None:
            return 404, {"detail": "No such member."}
        return 200, {"reported": self.billing.report("DELETE", f"organizations/{organization_id}/members/{user_id}")}

    # --- Runs ---------------------------------------------------------------------------------------------------------
    def translate(self, body: Body) -> tuple[int, Body]:
        """`{run_id, organization_id, user_id, words}`. Ask, do the work, report what it cost."""
        organization_id, user_id, charge = body["organization_id"], body["user_id"], charge_of(body["words"])
        question = {
            "account": {"type": "organization", "id": organization_id},
            "operation": "translate",
            "quantity": str(body["words"]),
            "user_id": user_id,
        }
        local = self.decide(organization_id, user_id, charge)
        try:
            status, answer = self.billing.call("POST", "credits:authorize", {**question, "local_decision": local})
        except UnreachableError:
            if organization_id in self.central:
                return 503, {"detail": "We can't tell whether you have credits left. Please try again in a minute."}
            status, answer = 200, {"decision": local["decision"], "code": "decided_alone", "decided_by": "local"}
        if status != HTTPStatus.OK:
            return 502, {"detail": answer.get("detail", "")}
        is_local = answer["decided_by"] == "local"
        (self.central.discard if is_local else self.central.add)(organization_id)
        said = {name: answer[name] for name in ("decision", "code", "decided_by")}
        if answer["decision"] != "allow":
            return 403, {**said, "detail": "; ".join(reason["fact"] for reason in answer.get("explanation", []))}
        # The text would be translated here. Whoever has decided charges: with `local_charge` Countinghouse only notes
        # it. The run has happened, so that what isn't covered is recorded, not refused.
        done = {"idempotency_key": body["run_id"], "run_id": body["run_id"], "outcome": "succeeded"}
        paid = {"local_charge": local["charge"]} if is_local else {}
        if is_local:
            self.balances[organization_id] -= charge
        report = {**question, **done, **paid, "on_insufficient": "record"}
        statuses = self.billing.report("POST", "credits:consume", report)
        return 201, {**said, "balance": text_of(self.balances[organization_id]), "reported": statuses}

    def decide(self, organization_id: str, user_id: str, charge: int) -> Body:
        """What the product decided before there was Countinghouse."""
        balance = self.balances.get(organization_id, 0)
        is_allowed = (organization_id, user_id) in self.members and charge <= balance
        decision = "allow" if is_allowed else "deny"
        return {"decision": decision, "balance": text_of(balance), "charge": text_of(charge)}

    # --- What Countinghouse reads -------------------------------------------------------------------------------------
    def export(self, cursor: str) -> Body:
        """One page of all members, in the order of organization and user; the cursor is the last row's key."""
        after = tuple(cursor.split("/"))
        keys = sorted(key for key in self.members if not cursor or key > after)
        page = keys[:PAGE]
        return {
            "members": [self.members[key] for key in page],
            "next_cursor": "/".join(page[-1]) if len(keys) > PAGE else None,
            "total": len(self.members),
        }

    def balance_file(self) -> str:
        """What `manage.py import_balances` reads. The reference stays the same, so that nothing is granted twice."""
        lines = [
            f"organization,{organization_id},{text_of(balance)},teal-{organization_id}"
            for organization_id, balance in sorted(self.balances.items())
        ]
        return "\n".join(["account_type,account_id,balance,external_ref", *lines, ""])


class ProductServer(HTTPServer):
    """Serves the product at a port of this machine."""

    def __init__(self, port: int, teal: Teal, export_key: str) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.teal = teal
        self.export_key = export_key


class Handler(BaseHTTPRequestHandler):
    """The product's own API. How its users sign in is left out; what Countinghouse reads needs the key."""

    server: ProductServer

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        given = self.headers.get("Authorization", "")
        if not secrets.compare_digest(given.encode(), f"Bearer {self.server.export_key}".encode()):
            self.answer(401, {"detail": "The key is missing or wrong."})
        elif url.path == "/billing/members":
            self.answer(200, self.server.teal.export(parse_qs(url.query).get("cursor", [""])[0]))
        elif url.path == "/billing/balances.csv":
            self.answer(200, self.server.teal.balance_file())
        else:
            self.answer(*NOT_FOUND)

    def do_POST(self) -> None:
        try:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
            self.answer(*self.post(body))
        except (KeyError, TypeError, ValueError) as error:
            self.answer(400, {"detail": f"Missing or wrong: {error}"})

    def post(self, body: Body) -> tuple[int, Body]:
        match self.path.strip("/").split("/"):
            case ["invitations"]:
                return self.server.teal.invite(body)
            case ["invitations", code, "accept"]:
                return self.server.teal.accept(code, body)
            case ["translations"]:
                return self.server.teal.translate(body)
        return NOT_FOUND

    def do_DELETE(self) -> None:
        match self.path.strip("/").split("/"):
            case ["members", organization_id, user_id]:
                self.answer(*self.server.teal.remove(organization_id, user_id))
            case _:
                self.answer(*NOT_FOUND)

    def answer(self, status: int, body: Body | str) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/csv" if isinstance(body, str) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Only refused reports are logged."""


def main() -> None:
    """Serve until the process ends."""
    customers, settings = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), os.environ
    teal = Teal(
        billing=Countinghouse(settings["COUNTINGHOUSE_URL"], settings["COUNTINGHOUSE_TOKEN"]),
        members={(each["organization_id"], each["user_id"]): each for each in customers["members"]},
        balances=customers["balances"],
    )
    ProductServer(int(settings.get("PORT", "9000")), teal, settings["EXPORT_KEY"]).serve_forever()


if __name__ == "__main__":
    main()
