import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pytest
import tiny_painter

from editfoundry.pretrained.clip import load_clip
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.profiles import load_profile
from editfoundry.synthesis.text_branch import TextBranch


@pytest.fixture(scope="session")
def profile_path(tmp_path_factory):
    return tiny_painter.save_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def painter():
    return tiny_painter.tiny_painter()


@pytest.fixture(scope="session")
def branch(profile_path):
    profile, runtime = load_profile(profile_path), choose_runtime("cpu")
    provenance = {role: str(profile.model(role)) for role in ("text_to_image", "clip")}
    return TextBranch(load_text_to_image(profile, runtime), load_clip(profile, runtime), provenance)
