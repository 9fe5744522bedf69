"""Captions, quadruples and clips are there, and every row read is accounted for."""

from dagster_project.counts_check import counts_add_up

captions_add_up = counts_add_up(
    "captions", "captions_add_up", "Rows read = captions kept + rows rejected, and at least one caption was kept."
)
quadruples_add_up = counts_add_up(
    "quadruples",
    "quadruples_add_up",
    "Captions read (and quadruples derived) = quadruples kept + rejected, and at least one was kept.",
)
clips_add_up = counts_add_up(
    "clips", "clips_add_up", "Rows read = clips kept + rows rejected, and at least one clip was kept."
)
