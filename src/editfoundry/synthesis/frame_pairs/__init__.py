"""Frame pairs of videos: before and after what happens in a clip (EditWorld, video branch, section 3.2)."""
