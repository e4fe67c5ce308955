"""Commercial truth: plans, the workspace subscription, the payment config, the overlay, and THE lifecycle resolver."""
