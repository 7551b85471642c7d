# Settings of the engines; every virtual machine gets a copy of this file.

c = get_config()

# Code that every engine runs before its first task:
# c.IPEngine.startup_command = "import numpy as np"
