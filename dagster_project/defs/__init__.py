"""Assets, checks and resources, one folder for each group."""
