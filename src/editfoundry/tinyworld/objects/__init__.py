"""The drawings of every kind of object, grouped by what they are."""

from editfoundry.tinyworld.kinds import Kind
from editfoundry.tinyworld.objects import animals, drinks, food, household, nature, outdoors

KINDS: dict[str, Kind] = {
    kind.name: kind for group in (food, drinks, nature, animals, household, outdoors) for kind in group.KINDS
}
