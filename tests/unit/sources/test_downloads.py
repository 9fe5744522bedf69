"""Downloads go over a real server; what fails is a rejection, and is not tried again."""

from __future__ import annotations

import json
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tiny_videos import growing_disc, write_video

from editfoundry.data.record import Clip
from editfoundry.data.tables import read_rows
from editfoundry.errors import BadInputError, Rejection
from editfoundry.sources.downloads import Downloader
from editfoundry.sources.internvid import convert_internvid

ID = "abcdefghijk"


class CountingHandler(SimpleHTTPRequestHandler):
    asked: list[str] = []

    def send_head(self):
        self.asked.append(self.path)
        return super().send_head()

    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path):
    write_video(tmp_path / "served" / f"{ID}.mp4", growing_disc(num_frames=10))
    CountingHandler.asked = []
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(CountingHandler, directory=str(tmp_path / "served")))
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}/{{id}}.mp4"
    httpd.shutdown()


def downloader(folder, url, **options):
    folder.mkdir(exist_ok=True)
    return Downloader(folder=folder, url=url, seconds_between=0.0, **{"allow_private_hosts": True, **options})


def test_a_table_fetches_what_is_there_and_remembers_what_is_not(server, tmp_path):
    pytest.importorskip("yt_dlp")
    row = {"YoutubeID": ID, "Start_timestamp": "0", "End_timestamp": "0.4", "Aesthetic_Score": 7}
    table = tmp_path / "table.jsonl"
    table.write_text("".join(json.dumps({**row, "YoutubeID": name}) + "\n" for name in (ID, "gone_for_ever")))
    folder = tmp_path / "videos"
    result = convert_internvid(table, folder, tmp_path / "out", downloader=downloader(folder, server))
    (clip,) = read_rows(tmp_path / "out", Clip)
    assert clip.video_id == ID and (tmp_path / "out" / clip.video).is_file()
    assert result.rejected == {"download failed": 1}
    asked = len(CountingHandler.asked)
    again = convert_internvid(table, folder, tmp_path / "out", downloader=downloader(folder, server))
    assert again.num_shards_reused == 1 and len(CountingHandler.asked) == asked


def test_failures_are_tried_again_only_when_asked_to(server, tmp_path):
    pytest.importorskip("yt_dlp")
    with pytest.raises(Rejection, match="download failed"):
        downloader(tmp_path / "videos", server).fetch("gone")
    asked = len(CountingHandler.asked)
    with pytest.raises(Rejection, match="download failed"):
        downloader(tmp_path / "videos", server).fetch("gone")
    assert len(CountingHandler.asked) == asked
    with pytest.raises(Rejection, match="download failed"):
        downloader(tmp_path / "videos", server, retry_failed=True).fetch("gone")
    assert len(CountingHandler.asked) > asked


def test_without_yt_dlp_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yt_dlp", None)
    with pytest.raises(BadInputError, match=r"install editfoundry\[youtube\]"):
        downloader(tmp_path / "videos", "http://127.0.0.1:1/{id}").fetch(ID)


def test_a_private_address_is_not_downloaded_from_unless_it_is_allowed(server, tmp_path):
    pytest.importorskip("yt_dlp")
    with pytest.raises(Rejection, match="127.0.0.1 is no public address; --allow-private-hosts"):
        downloader(tmp_path / "videos", server, allow_private_hosts=False).fetch(ID)
    assert CountingHandler.asked == []
    assert downloader(tmp_path / "videos", server, retry_failed=True).fetch(ID).is_file()


def test_videos_are_downloaded_by_http_alone(tmp_path):
    with pytest.raises(BadInputError, match="by http or https alone"):
        downloader(tmp_path / "videos", "file:///etc/{id}")
