"""What the project's figures are measured with: `make bench`, or one by one, see __main__.py."""
