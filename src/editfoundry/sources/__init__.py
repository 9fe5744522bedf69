"""Real tables and downloads turned into the records that the lineage starts from."""
