"""Quadruples (input caption, instruction, output caption, keywords): written from captions, freely, or imported."""

from editfoundry.synthesis.quadruples.importing import import_quadruples
from editfoundry.synthesis.quadruples.stage import STAGE, QuadrupleWriter, write_quadruples

__all__ = ["STAGE", "QuadrupleWriter", "import_quadruples", "write_quadruples"]
