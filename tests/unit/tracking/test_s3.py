import contextlib
import socket

import pytest
from botocore.exceptions import ClientError

from editfoundry.tracking import s3
from editfoundry.tracking.ports import is_serving


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("foundry")
    yield root
    s3.stop(root)


@pytest.fixture(scope="module")
def server(root):
    return s3.start(root)


def test_what_is_put_is_got_back_after_a_restart(root, server):
    s3.client(root, server.endpoint).put_object(Bucket=s3.BUCKET, Key="dvc/a", Body=b"\x00bytes" * 1000)
    assert s3.stop(root)
    assert not is_serving(server.ports["s3"])
    again = s3.start(root)
    got = s3.client(root, again.endpoint).get_object(Bucket=s3.BUCKET, Key="dvc/a")["Body"].read()
    assert got == b"\x00bytes" * 1000


def test_a_second_start_returns_the_running_server(root, server):
    assert s3.start(root) == s3.start(root) == s3.status(root)


def test_a_wrong_secret_is_refused(root, server):
    access_key, _ = s3.credentials(root)
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        s3._client(s3.start(root).endpoint, access_key, "wrong").list_objects_v2(Bucket=s3.BUCKET)


def test_an_unknown_access_key_is_refused(root, server):
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        s3._client(s3.start(root).endpoint, "nobody", "wrong").list_objects_v2(Bucket=s3.BUCKET)


def test_keys_are_readable_by_their_owner_only(root, server):
    folder = s3.service_folder(root)
    for name in ("credentials.json", "credentials"):
        assert (folder / name).stat().st_mode & 0o777 == 0o600


def test_no_part_of_the_server_listens_outside_this_machine(root, server):
    import psutil

    listening = [c for c in psutil.Process(s3.start(root).pid).net_connections() if c.status == psutil.CONN_LISTEN]
    addresses = {c.laddr.ip for c in listening if c.family != socket.AF_UNIX}
    assert addresses == {"127.0.0.1"}


def test_a_port_in_use_makes_it_take_another(tmp_path, root, server):
    first = s3.start(root)
    second = s3.start(tmp_path)
    try:
        assert second.ports["s3"] != first.ports["s3"]
        assert s3.client(tmp_path, second.endpoint).list_objects_v2(Bucket=s3.BUCKET)["KeyCount"] == 0
    finally:
        assert s3.stop(tmp_path)
    assert s3.status(tmp_path) is None


def test_status_and_stop_of_a_folder_without_a_server(tmp_path, capsys):
    assert s3.main(["status", "--root", str(tmp_path)]) == 0
    assert s3.main(["stop", "--root", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "S3: not running\nS3: was not running\n"


def test_data_is_still_there_when_the_parts_get_other_ports(tmp_path, root, server):
    before = s3.start(root)
    s3.client(root, before.endpoint).put_object(Bucket=s3.BUCKET, Key="dvc/b", Body=b"kept")
    s3.stop(root)
    with contextlib.ExitStack() as stack:
        for part in ("s3", "master", "volume", "filer"):
            stack.enter_context(socket.create_server(("127.0.0.1", before.ports[part])))
        after = s3.start(root)
        assert set(after.ports.values()).isdisjoint({before.ports[p] for p in ("s3", "master", "volume", "filer")})
        assert s3.client(root, after.endpoint).get_object(Bucket=s3.BUCKET, Key="dvc/b")["Body"].read() == b"kept"


def test_a_copied_project_does_not_take_the_first_ones_server_for_its_own(tmp_path, root, server):
    first = s3.start(root)
    copied = s3.service_folder(tmp_path)
    copied.mkdir(parents=True)
    (copied / "server.json").write_bytes((s3.service_folder(root) / "server.json").read_bytes())
    assert s3.status(tmp_path) is None and s3.status(root) == first
    assert not s3.stop(tmp_path) and s3.status(root) == first
