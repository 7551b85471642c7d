"""Replays recorded exchanges with Azure Resource Manager against the emulator, and compares.

python -m tests.replay PATH ... prints where the emulator differs. A PATH is a folder of recordings
(each file a list of {"source", "request", "response"}), or a file with one session in each line.
"""
