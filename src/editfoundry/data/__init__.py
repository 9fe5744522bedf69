"""Records, shards and their index, and exchange with other projects' formats."""
