import pytest

from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import load_profile
from editfoundry.synthesis.editworld_text.config import TextBranchConfig
from editfoundry.synthesis.editworld_text.models import load_branch


@pytest.fixture(scope="session")
def branch(profile_path):
    return load_branch(load_profile(profile_path), choose_runtime("cpu"), TextBranchConfig())
