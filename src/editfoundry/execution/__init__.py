"""How work is described and carried out: what a stage is, and what runs it over its shards."""
