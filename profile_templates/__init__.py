"""Configuration files that `ipcluster-azure init` copies into the IPython directory."""
