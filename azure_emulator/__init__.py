"""A local Azure Resource Manager endpoint whose virtual machines are real SSH servers."""
