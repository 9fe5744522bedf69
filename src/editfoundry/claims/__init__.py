"""The claims ledger: what the papers claim, each claim tested again on tinyworld by one command."""
