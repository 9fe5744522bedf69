"""``python -m editfoundry``."""

from editfoundry.cli import main

main()
