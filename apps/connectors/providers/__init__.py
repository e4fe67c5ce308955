"""One module for each outside system, behind the contract of `apps.connectors.contracts` (spec 06, Connector)."""
