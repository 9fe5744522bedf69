"""Tiny painters, random and of the real classes, for the tests of every layer."""

import pytest
import tiny_painter
import tiny_sdxl

from editfoundry.profiles import load_profile


@pytest.fixture
def painter():
    return tiny_painter.tiny_painter()


@pytest.fixture(params=["sd", "sdxl"])
def either_painter(request):
    return tiny_sdxl.PAINTERS[request.param]()


@pytest.fixture(scope="session")
def profile_path(tmp_path_factory):
    return tiny_painter.save_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session", params=["sd", "sdxl"])
def branch_profile(request, tmp_path_factory):
    """A profile that names every role of the branch but the judge's."""
    return load_profile(
        tiny_sdxl.save_branch(tmp_path_factory.mktemp(request.param), tiny_sdxl.PAINTERS[request.param]())
    )
