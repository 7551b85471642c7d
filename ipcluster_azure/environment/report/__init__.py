"""A program that tells, as JSON, what is installed for the interpreter that runs it.

Any Python from 3.8 on runs it, with the standard library alone, since the interpreter may belong to
another environment: installed.py starts it, which says how, and reads what it prints.

It is quick, as a start waits for it: of the installed files only those are read whose size or time
says that they may not be the ones that were installed.
"""
