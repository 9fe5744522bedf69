"""The role ``moderator``: says which texts nobody should paint; a classifier on this machine, or an endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from editfoundry.profiles import Profile

ROLE = "moderator"


class Moderator(Protocol):
    """Flags texts."""

    @property
    def name(self) -> str:
        """Model @ revision, as provenance records it."""

    def flags(self, texts: Sequence[str]) -> list[str]:
        """Return for each text what it is flagged as, for example ``sexual``; empty where it is not.

        Raises:
            UnavailableError: it does not answer for now.
            BadInputError: it cannot be used at all.
        """


def load_moderator(profile: Profile, device: str = "auto") -> Moderator | None:
    """Load the profile's moderator; None where it names none: then nothing is moderated.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
        BadInputError: an option is wrong, or none of the labels is known to be safe.
    """
    if ROLE not in profile.models:
        return None
    reference = profile.model(ROLE)
    if reference.is_endpoint:
        from editfoundry.pretrained.moderation_endpoint import open_moderation_endpoint

        return open_moderation_endpoint(reference)
    # An endpoint takes no torch.
    from editfoundry.pretrained.runtime import choose_runtime
    from editfoundry.pretrained.text_classifier import load_text_classifier

    return load_text_classifier(reference, choose_runtime(device).of(reference))
