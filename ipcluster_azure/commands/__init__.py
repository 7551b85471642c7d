"""The subcommands of ipcluster-azure, one in each module."""
