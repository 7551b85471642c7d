# ipcluster on Azure virtual machines. After `az login`:
#
#     ipcluster start --profile=NAME -n 32
#     ipcluster stop --profile=NAME            (or Ctrl-C in the first terminal)
#
# Everything that is created goes into a resource group of its own, which is deleted at the stop.

c = get_config()

c.Cluster.controller_launcher_class = "azurevm"
c.Cluster.engine_launcher_class = "azurevm"
c.Cluster.delay = 0  # the machines boot together

c.AzureVMLauncher.location = "eastus"
c.AzureVMLauncher.vm_size = "Standard_D4s_v5"  # 4 engines on each machine: one for each vCPU

# The default subscription of `az login`, or $AZURE_SUBSCRIPTION_ID, unless this is set:
# c.AzureVMLauncher.subscription_id = "00000000-0000-0000-0000-000000000000"

# Machines that cost a fraction, and that Azure may take back at any time:
# c.AzureVMLauncher.priority = "Spot"

# More packages for the machines, which have ipyparallel and numpy:
# c.AzureVMLauncher.requirements = ["scipy", "pandas==2.2.*"]

# Files of yours for the engines, besides the modules of the working directory:
# c.AzureVMLauncher.sync_paths = ["auto", "data.csv"]

# Who may reach the SSH port; the default is this computer's public address alone:
# c.AzureVMLauncher.ssh_source = "203.0.113.0/24"
