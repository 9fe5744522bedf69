from pathlib import Path

import pytest
import tiny_emu

from editfoundry.synthesis.emu_edit.models import EmuModels


@pytest.fixture(scope="session")
def emu_profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_emu.save_models(tmp_path_factory.mktemp("emu"))


@pytest.fixture(scope="session")
def emu_models(emu_profile: Path) -> EmuModels:
    return tiny_emu.models_of(emu_profile)
