"""One package a domain: its tables, its rules, its corner of the contract."""
