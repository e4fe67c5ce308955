"""localstripe, a Stripe that nobody here wrote, as a real process in an environment of its own (spec 12).

It speaks old shapes (2017) and signs its own webhooks. Our readers take them as they come.
"""

from __future__ import annotations

import http
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from billing_site.launcher import places
from tests.counterparts.environments import python_environment
from tests.faults.stacks import free_port, wait_until

KEY = "sk_test_localstripe"
GOOD_CARD = "4242424242424242"
# Its holder confirms, then it is declined: the one way by which localstripe tells of an invoice that failed.
FAILING_CARD = "4000008260003178"


class LocalStripe:
    """One running localstripe."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"

    def call(self, path: str, **values: str) -> dict[str, Any]:
        """POST form values; the object that it answers. A card that is refused is an answer too."""
        answer = requests.post(f"{self.base}{path}", data=values, auth=(KEY, ""), timeout=30)
        if answer.status_code != http.HTTPStatus.PAYMENT_REQUIRED:
            answer.raise_for_status()
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    def send_webhooks(self, url: str, secret: str) -> None:
        """Sign every event with the secret and post it there."""
        self.call("/_config/webhooks/ours", url=url, secret=secret)

    def use_card(self, customer: str, number: str) -> None:
        """Give the customer this card, to pay with from now on."""
        card = {"card[number]": number, "card[exp_month]": "12", "card[exp_year]": "2040", "card[cvc]": "123"}
        method = self.call("/v1/payment_methods", type="card", **card)["id"]
        self.call(f"/v1/payment_methods/{method}/attach", customer=customer)
        self.call(f"/v1/customers/{customer}", **{"invoice_settings[default_payment_method]": method})

    def fail_to_pay(self, invoice: str) -> None:
        """Try to pay the invoice with the failing card."""
        intent = self.call(f"/v1/invoices/{invoice}/pay")["payment_intent"]
        found = requests.get(f"{self.base}/v1/payment_intents/{intent}", auth=(KEY, ""), timeout=30).json()
        self.call(f"/v1/payment_intents/{intent}/_authenticate", client_secret=found["client_secret"], success="true")

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            requests.get(f"{self.base}/v1/plans", auth=(KEY, ""), timeout=2)
        except requests.RequestException:
            return False
        return True


@contextmanager
def running_localstripe() -> Iterator[LocalStripe]:
    """Run it on a free port, with nothing in it, until the block ends."""
    python, port = python_environment("localstripe") / "python", free_port()
    output = places.state_folder() / f"localstripe-{port}.out"
    with output.open("wb") as said:
        process = subprocess.Popen(
            [python, "-m", "localstripe", "--port", str(port), "--from-scratch"],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
    stripe = LocalStripe(port)
    try:
        wait_until(lambda: stripe.is_up() or process.poll() is not None, lambda: output.read_text("utf-8"))
        assert process.poll() is None, output.read_text("utf-8")
        yield stripe
    finally:
        process.terminate()
        process.wait(30)
        output.unlink()
