"""python -m azure_emulator start|stop|status|reset"""

from .cli import main

main()
