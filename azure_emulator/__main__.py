"""python -m azure_emulator start|stop|status|reset"""

import os
import sys

# `python -m` puts the working directory in front, where a random.py would be taken for Python's own
if sys.path[0] == os.getcwd():
    sys.path.append(sys.path.pop(0))

from .cli import main

sys.exit(main())
