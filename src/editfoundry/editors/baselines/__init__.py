"""The editors of the papers' tables that need no training: bounds, and text-based editing with the painter alone."""

from editfoundry.editors.baselines.opening import BASELINES, open_baseline, setting_names

__all__ = ["BASELINES", "open_baseline", "setting_names"]
