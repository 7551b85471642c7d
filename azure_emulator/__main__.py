"""python -m azure_emulator start|stop|status|reset"""

import sys

from .cli import main

sys.exit(main())
