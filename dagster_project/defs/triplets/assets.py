"""Edit triplets of EditWorld's text-to-image branch."""

import dagster as dg

from dagster_project.defs.resources import Foundry
from dagster_project.metadata import OWNERS, counts, thumbnails
from editfoundry import lineage


@dg.asset(group_name="triplets", owners=OWNERS, kinds={"pytorch", "webdataset"}, deps=["quadruples"])
def editworld_text(foundry: Foundry) -> dg.MaterializeResult:
    """Input image, instruction, output image: painted, masked by keyword attention, inpainted, best of N by CLIP."""
    result = lineage.editworld_text(foundry.params, foundry.folder)
    folder = foundry.paths.editworld_text
    return dg.MaterializeResult(
        metadata={
            **counts(result),
            "folder": dg.MetadataValue.path(folder),
            "thumbnails": thumbnails(folder),
        }
    )
