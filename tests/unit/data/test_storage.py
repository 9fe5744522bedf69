"""Shards, tables and reports in a real S3 server, SeaweedFS."""

import hashlib
import pickle
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError
from faulty_proxy import faulty_proxy
from tiny_models import tiny_image

from editfoundry.curation.curate import curate
from editfoundry.curation.curation_config import CurationConfig
from editfoundry.curation.score_filters import ClipThresholds
from editfoundry.data.captioned_pictures import (
    captioned_pictures_hash,
    open_captioned_pictures,
    write_captioned_pictures,
)
from editfoundry.data.record import Caption
from editfoundry.data.rejections import RejectedRow, read_rejections
from editfoundry.data.s3_client import s3_client
from editfoundry.data.shards import count_triplets, read_index, read_member, read_triplet, read_triplets, write_triplets
from editfoundry.data.storage import locate, upload_folder
from editfoundry.data.tables import count_rows, read_rows, write_rows
from editfoundry.editors.triplet_training.content_hashes import dataset_hash
from editfoundry.editors.triplet_training.triplet_pixels import TripletPixels
from editfoundry.errors import BadInputError, UnavailableError
from editfoundry.tracking import s3

ADDRESS = f"s3://{s3.BUCKET}"
THRESHOLDS = ClipThresholds(clip_input=-1, clip_output=-1, clip_image=-1, clip_direction=-1)
SCORES = {"clip_input": 0.25, "clip_output": 0.25, "clip_image": 0.8, "clip_direction": 0.5}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    root = tmp_path_factory.mktemp("foundry")
    started = s3.start(root)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", started.endpoint)
        environment.setenv("AWS_SHARED_CREDENTIALS_FILE", str(s3.service_folder(root) / "credentials"))
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_S3"):
            environment.delenv(name, raising=False)
        yield started
    s3.stop(root)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, server, make_triplet):
    """Two shards on the disk and, byte for byte, in the bucket."""
    folder = tmp_path_factory.mktemp("data") / "triplets"
    for number in range(2):
        triplets = [make_triplet(10 * number + i, scores=SCORES) for i in range(4)]
        dropped = [RejectedRow(f"r{number}", "low clip_image")]
        write_triplets(folder / f"{number:05d}.tar", triplets, dropped, input_hash="abc")
    write_rows(
        folder.parent / "captions" / "00000.parquet", [Caption(caption="a cat"), Caption(caption="ice")], Caption
    )
    upload_folder(folder, f"{ADDRESS}/triplets")
    upload_folder(folder.parent / "captions", f"{ADDRESS}/captions")
    return folder


@pytest.fixture
def requests(server):
    """Every request that is sent, as its method and its range of bytes."""
    sent = []

    def count(request, **_):
        sent.append((request.method, request.headers.get("Range", b"").decode()))

    events = s3_client().meta.events
    events.register("before-send.s3", count)
    yield sent
    events.unregister("before-send.s3", count)


def test_one_image_is_one_request_of_its_own_bytes(folder, requests):
    row = read_index(folder).slice(2, 1).to_pylist()[0]
    offset, length = row["output_offset"], row["output_length"]
    data = read_member(locate(f"{ADDRESS}/triplets/00000.tar"), offset, length)
    assert data == (folder / "00000.tar").read_bytes()[offset : offset + length]
    assert requests == [("GET", f"bytes={offset}-{offset + length - 1}")]


def test_one_triplet_with_its_mask_is_one_request(folder, requests, same):
    row = read_index(folder).slice(1, 1).to_pylist()[0]
    from_s3 = read_triplet(locate(f"{ADDRESS}/triplets/00000.tar"), row)
    assert from_s3.mask is not None
    assert same(from_s3, read_triplet(folder / "00000.tar", row))
    assert [method for method, _ in requests] == ["GET"]


def test_a_folder_is_read_in_order_as_from_the_disk(folder, requests, same):
    from_s3 = list(read_triplets(f"{ADDRESS}/triplets"))
    assert all(same(a, b) for a, b in zip(from_s3, read_triplets(folder), strict=True))
    # A shard's bytes come in one piece here, for they are fewer than what is read ahead.
    ranges = [asked for _, asked in requests if asked]
    assert len(ranges) == 2
    assert read_index(f"{ADDRESS}/triplets").equals(read_index(folder))
    assert count_triplets(f"{ADDRESS}/triplets") == 8
    assert list(read_rejections(f"{ADDRESS}/triplets")) == list(read_rejections(folder))


def test_tables_are_read_as_from_the_disk(folder):
    assert [row.caption for row in read_rows(f"{ADDRESS}/captions", Caption)] == ["a cat", "ice"]
    assert count_rows(f"{ADDRESS}/captions/00000.parquet") == 2


def test_curation_gives_the_same_bytes_as_from_the_disk(folder, tmp_path):
    config = CurationConfig(thresholds=THRESHOLDS)
    # A path of such an address, as the command line makes it.
    curate(Path(f"{ADDRESS}/triplets"), tmp_path / "from_s3", config)
    curate(folder, tmp_path / "from_disk", config)
    assert hashes(tmp_path / "from_s3") == hashes(tmp_path / "from_disk")
    assert len(hashes(tmp_path / "from_s3")) >= 3


def test_training_reads_its_pixels_and_its_hash_from_s3(folder):
    address = locate(f"{ADDRESS}/triplets")
    assert dataset_hash(address) == dataset_hash(folder)
    pixels, local = TripletPixels(address, 8), TripletPixels(folder, 8)
    assert all(pixels[i].equal(local[i]) for i in range(8))
    # What a loader's worker process gets.
    assert pickle.loads(pickle.dumps(pixels))[3].equal(local[3])


def test_captioned_pictures_are_read_in_place_one_request_each(tmp_path, requests):
    pictures = [(tiny_image(n), f"a cup {n}", None) for n in range(3)]
    write_captioned_pictures(tmp_path / "captioned", pictures, 2)
    upload_folder(tmp_path / "captioned", f"{ADDRESS}/captioned")
    place, work = Path(f"{ADDRESS}/captioned"), tmp_path / "work"
    there = open_captioned_pictures(place, work)
    requests.clear()
    assert captioned_pictures_hash(place, work) == captioned_pictures_hash(tmp_path / "captioned", work)
    # One for each tar, and one for the file that would say that they are elsewhere.
    assert [method for method, _ in requests].count("HEAD") == 3
    requests.clear()
    assert there.picture(2).tobytes() == tiny_image(2).tobytes()
    assert len(requests) == 1 and requests[0][1].startswith("bytes=")
    assert [there.caption(n) for n in range(len(there))] == ["a cup 0", "a cup 1", "a cup 2"]


def test_captioned_pictures_that_are_replaced_in_s3_are_looked_through_anew(tmp_path, server):
    place, work = Path(f"{ADDRESS}/replaced"), tmp_path / "work"
    hashes = []
    for caption in ("a red cup", "a big cup"):
        write_captioned_pictures(tmp_path / "captioned", [(tiny_image(0), caption, None)], 2)
        # As another program sends it: without the sha256.
        body = (tmp_path / "captioned" / "00000.tar").read_bytes()
        s3_client().put_object(Bucket=s3.BUCKET, Key="replaced/00000.tar", Body=body)
        opened = open_captioned_pictures(place, work)
        assert opened.caption(0) == caption
        hashes.append(captioned_pictures_hash(place, work))
    assert hashes[0] != hashes[1]


def test_a_report_keeps_its_types_and_leaves_hidden_files_behind(tmp_path, server):
    report = tmp_path / "report"
    (report / "pictures").mkdir(parents=True)
    for name in ("report.html", "pictures/grid.png", ".hidden"):
        (report / name).write_text(name)
    assert upload_folder(report, f"{ADDRESS}/reports/one") == [
        f"{ADDRESS}/reports/one/pictures/grid.png",
        f"{ADDRESS}/reports/one/report.html",
    ]
    page = s3_client().get_object(Bucket=s3.BUCKET, Key="reports/one/report.html")
    assert (page["ContentType"], page["Body"].read()) == ("text/html", b"report.html")
    with pytest.raises(ClientError):
        s3_client().head_object(Bucket=s3.BUCKET, Key="reports/one/.hidden")


def test_what_is_not_there_is_one_clear_line(folder, tmp_path):
    with pytest.raises(BadInputError, match="s3://editfoundry/nothing: no shard"):
        list(read_triplets(f"{ADDRESS}/nothing"))
    with pytest.raises(BadInputError, match="s3://no-such-bucket/a: cannot be listed .*NoSuchBucket"):
        list(read_triplets("s3://no-such-bucket/a"))
    s3_client().put_object(Bucket=s3.BUCKET, Key="alone/00000.parquet", Body=(folder / "00000.parquet").read_bytes())
    with pytest.raises(BadInputError, match="s3://editfoundry/alone/00000.tar: missing"):
        list(read_triplets(f"{ADDRESS}/alone/00000.tar"))
    s3_client().put_object(Bucket=s3.BUCKET, Key="alone/00000.tar", Body=b"cut")
    with pytest.raises(BadInputError, match="the tar is cut"):
        list(read_triplets(f"{ADDRESS}/alone"))


def test_nothing_is_written_into_a_folder_named_s3(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInputError, match="S3 is only read; write to the disk"):
        curate(folder, Path("s3://editfoundry/out"), CurationConfig(thresholds=THRESHOLDS))
    with pytest.raises(BadInputError, match="copy this to the disk first"):
        pq.read_table(locate(f"{ADDRESS}/captions/00000.parquet"))
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_does_not_answer_is_named_as_the_cause(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(UnavailableError, match=r"cannot be listed .*Could not connect.*is AWS_ENDPOINT_URL right"):
        list(read_triplets(f"{ADDRESS}/triplets"))


@pytest.fixture
def proxy(server, monkeypatch):
    """Cuts a share of what S3 sends; every test sets its own share."""
    monkeypatch.setattr("editfoundry.data.s3_client.MAX_WAIT_SECONDS", 0.2)
    with faulty_proxy(server.ports["s3"], 0.0) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy


@pytest.mark.parametrize("seed", range(3))
def test_curating_through_a_network_that_cuts_answers_gives_the_same_bytes(folder, tmp_path, proxy, seed):
    proxy.share = 0.1
    proxy.chance.seed(seed)
    config = CurationConfig(thresholds=THRESHOLDS)
    curate(folder, tmp_path / "from_disk", config)
    while proxy.num_cut < 5:
        curate(Path(f"{ADDRESS}/triplets"), tmp_path / f"from_s3_{proxy.num_cut}", config)
    for output in tmp_path.glob("from_s3_*"):
        assert hashes(output) == hashes(tmp_path / "from_disk")


def test_every_kind_of_read_is_whole_or_not_at_all(folder, proxy):
    place = locate(f"{ADDRESS}/triplets/00000.tar")
    data = (folder / "00000.tar").read_bytes()
    proxy.share = 0.2
    while proxy.num_cut < 10:
        assert place.read_bytes() == data
        assert place.read_range(100, 999) == data[100:1099]
        assert place.stat().st_size == len(data)
        assert [path.name for path in locate(f"{ADDRESS}/triplets").glob("*.tar")] == ["00000.tar", "00001.tar"]
        assert place.is_file() and not place.is_dir()
    proxy.share = 1.0
    with pytest.raises(UnavailableError, match="cannot be read"):
        place.read_bytes()


def test_a_file_that_is_replaced_while_it_is_read_is_bad_input_not_a_mixture(server):
    def put(byte):
        s3_client().put_object(Bucket=s3.BUCKET, Key="replaced.bin", Body=byte * 1000)

    put(b"a")
    file = locate(f"{ADDRESS}/replaced.bin").open("rb", 10)
    assert file.read(10) == b"a" * 10
    put(b"b")
    with pytest.raises(BadInputError, match="replaced while it was read"):
        file.read(10)


def published(tmp_path, prefix):
    report = tmp_path / "report"
    report.mkdir()
    for number in range(20):
        (report / f"{number:02d}.png").write_bytes(bytes([number]) * 300_000)
    (report / "report.html").write_text("<html>")
    found = s3_client().get_paginator("list_objects_v2").paginate(Bucket=s3.BUCKET, Prefix=prefix)
    return report, lambda: {e["Key"]: e["Size"] for page in found for e in page.get("Contents", ())}


def test_a_report_is_published_whole_through_a_network_that_cuts_answers(tmp_path, proxy):
    report, listed = published(tmp_path, "reports/cut/")
    proxy.share = 0.1
    assert len(upload_folder(report, f"{ADDRESS}/reports/cut")) == 21 and proxy.num_cut
    proxy.share = 0.0
    assert listed() == {f"reports/cut/{p.name}": p.stat().st_size for p in report.iterdir()}


def test_a_publication_that_breaks_off_says_what_is_missing_and_the_next_sends_only_that(tmp_path, proxy, monkeypatch):
    report, listed = published(tmp_path, "reports/off/")
    monkeypatch.setattr("editfoundry.data.s3_client.NUM_ATTEMPTS", 2)
    events, sent = s3_client().meta.events, []

    def fall_after_six(request, **_):
        sent.append(request.url.rsplit("/", 1)[1])
        proxy.is_up = not any(url.startswith("06") for url in sent)

    events.register("before-send.s3.PutObject", fall_after_six)
    with pytest.raises(UnavailableError, match=r"15 of 21 files are missing: 06.png, 07.png.*the same command copies"):
        upload_folder(report, f"{ADDRESS}/reports/off")
    events.unregister("before-send.s3.PutObject", fall_after_six)
    proxy.is_up = True
    assert len(listed()) == 6
    sent.clear()
    events.register("before-send.s3.PutObject", lambda request, **_: sent.append(request.url.rsplit("/", 1)[1]))
    assert len(upload_folder(report, f"{ADDRESS}/reports/off")) == len(listed()) == 21
    assert len(set(sent)) == 15 and sent[-1] == "report.html"


def test_a_bucket_that_does_not_exist_is_an_error_and_not_created(tmp_path, server):
    report, _ = published(tmp_path, "x")
    with pytest.raises(BadInputError, match="s3://no-such-bucket: no such bucket"):
        upload_folder(report, "s3://no-such-bucket/reports")
    assert "no-such-bucket" not in {bucket["Name"] for bucket in s3_client().list_buckets()["Buckets"]}


def hashes(folder):
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
