"""What each step of EditWorld's text-to-image branch is worth: arms that leave one out, against tinyworld's truth."""

from editfoundry.pretraining.ablation.ablate import run_ablation

__all__ = ["run_ablation"]
