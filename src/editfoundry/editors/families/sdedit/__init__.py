"""SDEdit (Meng et al. 2022)."""
