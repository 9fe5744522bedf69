"""The rules of tinyworld, as EditWorld groups them: real-world and virtual-world dynamics."""
