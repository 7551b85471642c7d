"""Makes the Python environment of a machine. Run by any Python from 3.8 on, with its standard
library alone. READ commands.py FIRST."""
