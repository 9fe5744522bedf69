import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pytest
import tiny_painter
import tiny_sdxl

from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import load_profile
from editfoundry.synthesis.config import TextBranchConfig
from editfoundry.synthesis.text_branch_models import load_branch


@pytest.fixture(scope="session")
def profile_path(tmp_path_factory):
    return tiny_painter.save_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def painter():
    return tiny_painter.tiny_painter()


@pytest.fixture(params=["sd", "sdxl"])
def either_painter(request):
    return tiny_sdxl.PAINTERS[request.param]()


@pytest.fixture(scope="session")
def branch(profile_path):
    return load_branch(load_profile(profile_path), choose_runtime("cpu"), TextBranchConfig())


@pytest.fixture(scope="session", params=["sd", "sdxl"])
def branch_profile(request, tmp_path_factory):
    """A profile that names every role of the branch but the judge's."""
    return load_profile(
        tiny_sdxl.save_branch(tmp_path_factory.mktemp(request.param), tiny_sdxl.PAINTERS[request.param]())
    )
