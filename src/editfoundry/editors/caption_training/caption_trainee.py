"""What the families' trainees on captioned pictures tell alike."""

from __future__ import annotations

from collections.abc import Sequence

from editfoundry.editors.caption_training.caption_batches import CaptionedData
from editfoundry.editors.caption_training.caption_config import CaptionTraining
from editfoundry.training.trainee import Validation


class CaptionTrainee:
    """An inpainter in training; a family adds its models, loss and checkpoint. See `training.trainee.Trainee`."""

    config: CaptionTraining
    data: CaptionedData

    @property
    def data_description(self) -> str:
        """For a log line."""
        return f"{len(self.data)} captioned pictures"

    @property
    def likely_fault(self) -> str:
        """What spoils a loss."""
        return f"broken pictures in {self.config.dataset}"

    def validation(self) -> Sequence[Validation]:
        """Return nothing: a loss on pictures that are not trained on says little of what is painted."""
        return ()
