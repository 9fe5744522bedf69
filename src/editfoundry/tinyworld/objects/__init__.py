"""The drawings of every kind of object, grouped by what they are."""

from editfoundry.tinyworld.kinds import Kind
from editfoundry.tinyworld.objects import animals, food, household, nature, outdoors

KINDS: dict[str, Kind] = {
    kind.name: kind for group in (food, nature, animals, household, outdoors) for kind in group.KINDS
}
