"""Monte Carlo pricing of European and Asian options, serially or on any ipyparallel cluster.

Read model.py (what is priced), plain.py (what an engine runs) and surface.py (how a grid
becomes tasks); table.py and plots.py show the result, __main__.py is the command.
"""
