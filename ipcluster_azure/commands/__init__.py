"""The command ipcluster-azure, a module for each subcommand."""
