"""A small product with members and credits of its own, integrated with Countinghouse over HTTP.

`billing.py` is the part to take over into a product: the calls, their repetition, and reports that wait while
Countinghouse is away. `__main__.py` is the product: it decides by itself, sends its decision along with each question
(so that shadow mode can compare), and follows Countinghouse where that decides. `README.md` has the way to central.
"""

from __future__ import annotations
