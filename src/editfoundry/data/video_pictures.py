"""Turns a decoded frame into the picture a person sees: upright, square pixels, no combing, 8-bit RGB."""

from __future__ import annotations

import cv2
import numpy as np
from av import VideoFrame
from av.video.reformatter import Colorspace, Interpolation
from PIL import Image

_HD_HEIGHT = 720
"""Frames at least so high that do not tell their colours' matrix have BT.709."""
_UNSPECIFIED = 2
"""FFmpeg's number for colours that do not tell their matrix."""
_QUARTER_TURNS = {90: 1, 180: 2, 270: 3}


def picture(frame: VideoFrame, pixel_aspect: float = 1.0, longer_side: int | None = None) -> Image.Image:
    """Return the frame as an RGB image.

    Args:
        frame: decoded, in any pixel format.
        pixel_aspect: width of one stored pixel by its height.
        longer_side: scale down to so many pixels; None keeps the full resolution.
    """
    width, height = frame.width, frame.height
    if longer_side is not None and max(width, height) > longer_side:
        scale = longer_side / max(width, height)
        width, height = max(2, round(width * scale)), max(2, round(height * scale))
    matrix = Colorspace.ITU709 if _is_unlabelled_hd(frame) else None
    rgb: np.ndarray = frame.reformat(
        width, height, "rgb24", src_colorspace=matrix, interpolation=Interpolation.AREA
    ).to_ndarray()
    if frame.interlaced_frame and height == frame.height:
        rgb = cv2.resize(rgb[::2], (width, height), interpolation=cv2.INTER_LINEAR)
    if abs(pixel_aspect - 1) > 0.01:
        rgb = cv2.resize(rgb, (max(2, round(width * pixel_aspect)), height), interpolation=cv2.INTER_AREA)
    turns = _QUARTER_TURNS.get(round(frame.rotation) % 360, 0)
    return Image.fromarray(np.ascontiguousarray(np.rot90(rgb, turns)))


def _is_unlabelled_hd(frame: VideoFrame) -> bool:
    is_yuv = frame.format.name.startswith("yuv")
    return is_yuv and frame.height >= _HD_HEIGHT and int(frame.colorspace) == _UNSPECIFIED
