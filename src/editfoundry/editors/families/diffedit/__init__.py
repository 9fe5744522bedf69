"""DiffEdit (Couairon et al. 2022)."""
