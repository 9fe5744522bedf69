import re
import tomllib
from pathlib import Path

import pytest
import yaml

from editfoundry.profiles import PROFILES_FOLDER, load_profile

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
WORDS = (
    "triplet quadruple shard stage lineage recipe profile role curation judge family trainee run-folder outcome control"
)


def test_citation_and_changelog_name_the_version_that_is_built():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    versions = re.findall(r"^## \[(.+?)\]", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[:2] == ["Unreleased", PROJECT["version"]]


def test_before_each_commit_the_commands_of_make_lint_run():
    recipe = (REPOSITORY / "Makefile").read_text().split("lint: $(READY)\n")[1].split("\n\n")[0]
    commands = [line.strip().removeprefix("@").replace("$(BIN)", ".venv/bin") for line in recipe.splitlines()]
    (local,) = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local"
    assert [hook["entry"] for hook in local["hooks"]] == commands


def test_the_known_classifiers_are_used():
    known = pytest.importorskip("trove_classifiers").classifiers
    assert set(PROJECT["classifiers"]) <= known


@pytest.mark.parametrize("name", ["paper", "modern"])
def test_the_page_of_profiles_has_a_row_for_each_role_with_its_model(name):
    page = (REPOSITORY / "docs" / "profiles.md").read_text()
    table = page.split(f"## `{name}`\n")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", table, re.MULTILINE))
    models = load_profile(name).models
    assert rows == {role: model.weight_name if role == "lpips" else model.source for role, model in models.items()}


def test_the_page_of_profiles_names_every_embedded_role():
    page = (REPOSITORY / "docs" / "profiles.md").read_text()
    paragraph = page.split("## `embedded`\n")[1].split("\n## ")[0]
    assert set(load_profile("embedded").models) <= set(re.findall(r"`(\w+)`", paragraph))
    assert {path.stem for path in PROFILES_FOLDER.glob("*.toml")} <= set(re.findall(r"^## `(\w+)`", page, re.MULTILINE))


@pytest.mark.parametrize("word", WORDS.split())
def test_the_glossary_explains_each_word_at_an_anchor_of_its_own(word):
    glossary = (REPOSITORY / "docs" / "glossary.md").read_text()
    assert f'<a id="{word}"></a>**{word.replace("-", " ").capitalize()}.**' in glossary


def test_every_link_between_documents_leads_to_a_file():
    pages = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            if not target.startswith(("http://", "https://", "mailto:")):
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
