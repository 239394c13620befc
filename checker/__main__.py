"""`python -m vmaspace.checker`: the same entrance as the `vmaspace` command."""

import sys

from vmaspace.checker.cli import main

if __name__ == "__main__":
    sys.exit(main())
