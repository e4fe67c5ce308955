"""The sections of the daily report, one module each; `registry.py` finds them."""
