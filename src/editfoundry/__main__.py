"""``python -m editfoundry``."""

from editfoundry.cli import main

if __name__ == "__main__":
    main()
