"""The recipe editworld-video: EditWorld's video branch."""
