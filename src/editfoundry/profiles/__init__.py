"""Profiles: which model plays which role, and what suits those models. Code never names a model."""

from editfoundry.profiles.profile import (
    BYTES_OF,
    DEFAULT_PROFILE,
    EMBEDDED_FOLDER,
    ENDPOINT,
    PROFILES_FOLDER,
    PUBLISHED_FOLDER,
    ROLES,
    ModelReference,
    Profile,
    check_settings,
    load_profile,
    missing_model,
)

__all__ = [
    "BYTES_OF",
    "DEFAULT_PROFILE",
    "EMBEDDED_FOLDER",
    "ENDPOINT",
    "PROFILES_FOLDER",
    "PUBLISHED_FOLDER",
    "ROLES",
    "ModelReference",
    "Profile",
    "check_settings",
    "load_profile",
    "missing_model",
]
