"""The mutation run of `make mutants`: small faults are put into rules, guards and SQL, and the tests must notice each.

Outside the gate. `python_faults` and `sql_faults` make the faults, `run` tries each of them against the tests that run
its line, `__main__` reports. `survivors.toml` lists those that no test can notice, each with its reason.

Why not a library: the kept ones (mutmut, Cosmic Ray) start pytest, Django and the database anew for every fault, which
takes a day here, and know no SQL.
"""
