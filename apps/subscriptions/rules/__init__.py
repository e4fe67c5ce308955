"""Pure rules: what may become what, and what a workspace may do. No query, no clock, no context.

This package is the only code that compares a subscription state or a payment status to decide something; an
architecture test holds that.
"""
