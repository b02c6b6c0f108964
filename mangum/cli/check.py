"""Tells whether a function can be loaded. Run as a process, so that nobody else imports it.

`python -m mangum.cli.check module:handler FOLDER` exits with 2 and says what to do if the command
line names no function. Whatever the module itself raises is not told here.
"""

from __future__ import annotations

import os
import sys

from mangum.cli.load import load
from mangum.cli.usage import WRONG_USE, WrongUse


def main() -> int:
    target, folder = sys.argv[1:]
    stderr = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        for descriptor in (1, 2):  # what the module prints, its environments print too
            os.dup2(nowhere.fileno(), descriptor)
    try:
        load(target, folder)
    except WrongUse as error:
        os.write(stderr, str(error).encode("utf-8", "replace"))
        return WRONG_USE
    except BaseException:
        pass
    return 0


if __name__ == "__main__":
    os._exit(main())  # whatever the module has started
