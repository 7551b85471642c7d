# ipcluster on the local emulator: the same steps as on Azure, without an account and without cost.
#
#     ipcluster start --profile=NAME -n 4
#     ipcluster stop --profile=NAME            (or Ctrl-C in the first terminal)

c = get_config()

c.Cluster.controller_launcher_class = "azurevm"
c.Cluster.engine_launcher_class = "azurevm"
c.Cluster.delay = 0  # the machines boot together

c.AzureVMLauncher.endpoint = "emulator"
c.AzureVMLauncher.vm_size = "Standard_D4s_v5"  # 4 engines on each machine: one for each vCPU
