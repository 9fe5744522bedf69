"""Downloads videos by their YouTube ids with yt-dlp, an optional extra: slowly, and nothing twice in vain."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from editfoundry.errors import BadInputError, Rejection, one_line
from editfoundry.sources.public_addresses import only_public_addresses
from editfoundry.sources.video_files import videos_by_id

FAILED = "download failed"
_LOG = "failed_downloads.jsonl"
_FORMAT = "bv*[vcodec^=avc1][height<=?1080]/bv*[height<=?1080]/b[height<=?1080]"
"""Pictures alone: sound is not needed, and merging it would need another program."""


@dataclass(kw_only=True)
class Downloader:
    """Puts videos into a folder, each named by its id; which ones failed is remembered beside them."""

    folder: Path
    url: str = "https://www.youtube.com/watch?v={id}"
    """Address of a video; ``{id}`` is replaced."""
    seconds_between: float = 5.0
    """Pause between two downloads."""
    max_bytes_per_second: float | None = 4e6
    """Limit of the download's speed; None for none."""
    max_megabytes: int = 2000
    """Larger files are not fetched."""
    allow_private_hosts: bool = False
    """Whether addresses of this machine and its network may be downloaded from."""
    retry_failed: bool = False
    """Whether to try again what failed in an earlier run."""
    _failed: dict[str, str] = field(default_factory=dict)
    _last_end: float | None = None

    def __post_init__(self) -> None:
        if self.seconds_between < 0 or self.max_megabytes < 1:
            raise BadInputError("seconds_between must not be negative, and max_megabytes at least 1")
        if not self.url.lower().startswith(("http://", "https://")):
            raise BadInputError(f"{self.url}: videos are downloaded by http or https alone")
        if not self.retry_failed:
            self._failed.update(_read_failures(self.folder / _LOG))

    def there(self, video_id: str) -> Path | None:
        """Return the video's file where it has been downloaded."""
        return videos_by_id(self.folder).get(video_id) if self.folder.is_dir() else None

    def fetch(self, video_id: str) -> Path:
        """Return the video's file, downloaded now unless it is there; a partial file is gone on with.

        Raises:
            Rejection: ``download failed``, now or in an earlier run.
            BadInputError: yt-dlp is not installed.
        """
        found = self.there(video_id)
        if found is not None:
            return found
        if video_id in self._failed:
            raise Rejection(FAILED, self._failed[video_id])
        download = _yt_dlp(self._options())
        self._wait()
        try:
            with nullcontext() if self.allow_private_hosts else only_public_addresses():
                download(self.url.format(id=video_id))
            problem = ""
        except Exception as error:  # Whatever an extractor raises, one video is lost and not the table.
            problem = one_line(error, 300)
        self._last_end = time.monotonic()
        found = self.there(video_id)
        if found is None:
            self._remember(video_id, problem or "nothing was written")
            raise Rejection(FAILED, self._failed[video_id])
        return found

    def _wait(self) -> None:
        if self._last_end is not None:
            time.sleep(max(0.0, self.seconds_between - (time.monotonic() - self._last_end)))

    def _remember(self, video_id: str, problem: str) -> None:
        self._failed[video_id] = problem
        with (self.folder / _LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"id": video_id, "problem": problem}) + "\n")

    def _options(self) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            # Programs and threads of its own would connect without being looked at.
            "external_downloader": {"default": "native"},
            "concurrent_fragment_downloads": 1,
            "outtmpl": str(self.folder / "%(id)s.%(ext)s"),
            "noplaylist": True,
            "quiet": True,
            "noprogress": True,
            "no_warnings": True,
            "continuedl": True,
            "ratelimit": self.max_bytes_per_second,
            "max_filesize": self.max_megabytes * 2**20,
            "retries": 3,
            "cachedir": False,
            "windowsfilenames": True,
        }


def _yt_dlp(options: dict[str, Any]) -> Callable[[str], None]:
    try:
        import yt_dlp
    except ImportError as error:
        raise BadInputError("downloads need yt-dlp: install editfoundry[youtube]") from error

    def download(url: str) -> None:
        with yt_dlp.YoutubeDL(options) as client:
            client.download([url])

    return download


def _read_failures(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    failures = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            fields = json.loads(line)
            failures[str(fields["id"])] = str(fields["problem"])
        except (ValueError, KeyError, TypeError):
            continue
    return failures
