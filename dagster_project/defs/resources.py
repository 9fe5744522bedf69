"""The one thing every asset needs to know: whose folder it works in, and with which parameters."""

import os
from pathlib import Path

import dagster as dg

from editfoundry import lineage

REPOSITORY = Path(__file__).resolve().parents[2]


class Foundry(dg.ConfigurableResource):
    """A project's folder and the parameters of its lineage."""

    root: str = str(REPOSITORY)
    """Folder that holds ``data/``, ``checkpoints/`` and ``reports/``."""
    params_file: str = "params.yaml"
    """Parameters of every stage; relative to ``root``."""

    @property
    def folder(self) -> Path:
        """The root as a path."""
        return Path(self.root).resolve()

    @property
    def paths(self) -> lineage.Paths:
        """Where each stage's output is."""
        return lineage.Paths(self.folder)

    @property
    def params(self) -> lineage.Params:
        """The parameters as the file has them now."""
        return lineage.load_params(self.folder / self.params_file)


@dg.definitions
def resources() -> dg.Definitions:
    """Provide the foundry of EDITFOUNDRY_ROOT and EDITFOUNDRY_PARAMS, by default this repository's."""
    foundry = Foundry(
        root=os.environ.get("EDITFOUNDRY_ROOT", str(REPOSITORY)),
        params_file=os.environ.get("EDITFOUNDRY_PARAMS", "params.yaml"),
    )
    return dg.Definitions(resources={"foundry": foundry})
