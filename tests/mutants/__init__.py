"""The mutation run of `make mutants`: small faults are put into rules, guards and SQL, and the tests must notice each.

Outside the gate. `python_faults` and `sql_faults` make the faults, `session` runs tests against one, `__main__` chooses
and reports. `survivors.toml` lists those that no test can notice, each with its reason.
"""
