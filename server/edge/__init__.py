"""Envoy's configuration, derived from the contract and built of typed objects.

`settings` says what an operator may choose, `contract` reads what the protos say, `bootstrap`
builds the configuration of both. Only `bootstrap` and what it imports load Envoy's types, which
takes more than a second; import it where it is used.
"""
