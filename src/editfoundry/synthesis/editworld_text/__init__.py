"""The recipe editworld-text: EditWorld's text-to-image branch."""
