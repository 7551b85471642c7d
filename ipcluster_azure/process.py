"""What this process is for."""

# The cluster's own processes on this computer, the link and the last visit, set this to False
# before they import anything else. errors.py then does without ipyparallel, which is half of their
# start-up.
launchers_run_here = True
