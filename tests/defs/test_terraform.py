"""The bucket's Terraform: it parses, and keeps what must not be lost or shown. No cloud is asked."""

import re
import shutil
import subprocess
from pathlib import Path

import hcl2
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "infra" / "terraform"


@pytest.fixture(scope="module")
def blocks():
    """Every block as (kind, its first label), to its content."""
    found = {}
    for path in sorted(FOLDER.glob("*.tf")):
        for kind, listed in plain(hcl2.loads(path.read_text())).items():
            for block in listed if kind in ("resource", "data", "variable") else []:
                ((label, content),) = [item for item in block.items() if not item[0].startswith("__")]
                found[kind, label] = content.get("foundry", content)
    return found


def plain(value):
    """The parser keeps the quotes of strings."""
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.strip('"') if isinstance(value, str) else value


def test_the_bucket_is_never_public_and_never_destroyed_by_the_way(blocks):
    access = blocks["resource", "aws_s3_bucket_public_access_block"]
    switches = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
    assert all(access[name] is True for name in switches)
    assert blocks["resource", "aws_s3_bucket"]["lifecycle"][0]["prevent_destroy"] is True
    assert blocks["resource", "aws_s3_bucket_versioning"]["versioning_configuration"][0]["status"] == "Enabled"


def test_no_rule_deletes_a_data_set_or_a_model(blocks):
    rules = {rule["id"]: rule for rule in blocks["resource", "aws_s3_bucket_lifecycle_configuration"]["rule"]}
    deleting = {rule["filter"][0].get("prefix") for rule in rules.values() if "expiration" in rule}
    assert deleting == {"training/", "dagster-logs/"}
    assert rules["leftovers"]["abort_incomplete_multipart_upload"][0]["days_after_initiation"] == 7
    assert all(rule["status"] == "Enabled" for rule in rules.values())


def test_readers_cannot_write_and_plain_http_is_refused(blocks):
    statements = {s["sid"]: s for s in blocks["data", "aws_iam_policy_document"]["statement"]}
    assert statements["OnlyEncryptedConnections"]["effect"] == "Deny"
    assert statements["OnlyEncryptedConnections"]["condition"][0]["variable"] == "aws:SecureTransport"
    writing = [s for s in statements.values() if "s3:PutObject" in s["actions"] or "s3:DeleteObject" in s["actions"]]
    assert [s["principals"][0]["identifiers"] for s in writing] == ["${var.writer_role_arns}"]


def test_every_variable_that_is_used_is_declared_and_explained(blocks):
    used = {name for path in FOLDER.glob("*.tf") for name in re.findall(r"\bvar\.(\w+)", path.read_text())}
    declared = {label: content for (kind, label), content in blocks.items() if kind == "variable"}
    assert used == set(declared)
    assert all(content["description"] for content in declared.values())


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
def test_terraform_finds_nothing_to_format():
    done = subprocess.run(["terraform", "fmt", "-check", "-diff", str(FOLDER)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
