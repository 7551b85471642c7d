"""Monte Carlo pricing of European and Asian options, serially or on any ipyparallel cluster.

Read model.py (what is priced), block.py (what an engine computes) and surface.py (how a grid
becomes prices); then closed_form.py, the formulas behind the methods. run.py and what it imports
are the steps in between; table.py and plots.py show the result, __main__.py is the command.
"""

from .model import PAYOFFS, Model
from .surface import Surface, price_surface

__all__ = ["PAYOFFS", "Model", "Surface", "price_surface"]
