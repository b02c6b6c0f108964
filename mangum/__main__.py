"""`python -m mangum` is the command line."""

import sys

from mangum.cli import main

if __name__ == "__main__":
    sys.exit(main())
