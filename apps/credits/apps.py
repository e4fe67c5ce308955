from __future__ import annotations

from django.apps import AppConfig


class CreditsConfig(AppConfig):
    name = "apps.credits"
    verbose_name = "Credits"

    def ready(self) -> None:
        """Register what tenants and subscriptions leave to us: each organization's account, and how to ask again."""
        from apps.core.kept_elsewhere import register_kept_keys  # noqa: PLC0415
        from apps.credits.selectors.drift import shadow_figures  # noqa: PLC0415
        from apps.credits.services.accounts import credit_account_create  # noqa: PLC0415
        from apps.credits.services.allowances import allowance_apply, describe_allowance_change  # noqa: PLC0415
        from apps.credits.services.answers import find_consumption, register_rebuilt_answers  # noqa: PLC0415
        from apps.credits.services.authorization import replay_credits  # noqa: PLC0415
        from apps.credits.services.holds import open_holds  # noqa: PLC0415
        from apps.subscriptions import handlers, preview  # noqa: PLC0415
        from apps.subscriptions.enums import ReceiptKind  # noqa: PLC0415
        from apps.subscriptions.receipts import register_replay  # noqa: PLC0415
        from apps.tenants import bootstrap, closing, pages, shadow  # noqa: PLC0415

        register_rebuilt_answers()
        register_kept_keys("consumptions", find_consumption)
        bootstrap.register("credit_account", credit_account_create)
        closing.register_open_items("holds", open_holds)
        shadow.register("credits", shadow_figures)
        register_replay(ReceiptKind.CREDITS, replay_credits)
        handlers.register_saved_handler("allowance", allowance_apply)
        preview.register_consequence("allowance", describe_allowance_change)
        pages.register_page("credits", label="Credits", url_name="billing-credits", order=30, operation="credits.read")
