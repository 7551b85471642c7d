"""ipyparallel clusters on Azure virtual machines. Importing this package does nothing."""
