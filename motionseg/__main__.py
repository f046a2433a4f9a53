"""``python -m motionseg`` is ``motionseg``."""

from motionseg.apps.cli import main

if __name__ == "__main__":
    main()
