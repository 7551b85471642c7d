"""What people type every day: one command a line, in order; each part has a resource group.

    COMMAND                      must succeed
    COMMAND => TEXT              and print that; TEXT may have several lines, joined by spaces
    COMMAND => !WORD             must fail, and say that word

{g} is the part's resource group, {sub} the subscription's id, {dir} a folder with FILES in it;
SHORT has the others in braces.
"""

KEY = "--ssh-key-values {dir}/key.pub --admin-username azureuser"
SHORT = {
    "{key}": KEY,
    "{vm}": f"--image Ubuntu2404 --size Standard_D2s_v5 {KEY}",
    "{set}": f"--image Ubuntu2404 --vm-sku Standard_D2s_v5 {KEY} --load-balancer ''",
    "{state}": "--query provisioningState -o tsv",
    "{names}": "--query [].name -o tsv",
}

TEMPLATE = """{
  // as az takes it
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
  "contentVersion": "1.0.0.0",
  "parameters": {"name": {"type": "string", "defaultValue": "deployed"}},
  /* one network */
  "resources": [{
    "type": "Microsoft.Network/virtualNetworks", "apiVersion": "2023-04-01",
    "name": "[parameters('name')]", "location": "[resourceGroup().location]",
    "properties": {"addressSpace": {"addressPrefixes": ["10.9.0.0/16"]}}
  }],
  "outputs": {"name": {"type": "string", "value": "[toUpper(parameters('name'))]"}}
}
"""
OF_SUBSCRIPTION = """{
  "$schema": "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#",
  "contentVersion": "1.0.0.0",
  "resources": [{
    "type": "Microsoft.Resources/resourceGroups", "apiVersion": "2021-04-01",
    "name": "az-of-sub", "location": "eastus", "properties": {}
  }]
}
"""
ROLE = """{
  "Name": "Starter", "Description": "starts machines",
  "Actions": ["Microsoft.Compute/*/read", "Microsoft.Compute/virtualMachines/start/action"],
  "NotActions": [], "AssignableScopes": ["/subscriptions/{sub}"]
}
"""
FILES = {"template.json": TEMPLATE, "subscription.json": OF_SUBSCRIPTION, "role.json": ROLE}

PARTS: dict[str, str] = {
    "account and group": """
account show --query id -o tsv => {sub}
account list --query "[].name" -o tsv => ipcluster-azure emulator
account list-locations --query "[?name=='eastus'].displayName" -o tsv => East US
account get-access-token --query subscription -o tsv => {sub}
account subscription list => !misspelled
group show -n {g} --query location -o tsv => eastus
group list --query "[?name=='{g}'].name" -o tsv => {g}
group exists -n {g} => true
group exists -n nowhere => false
group show -n nowhere => !ResourceGroupNotFound
group update -n {g} --set tags.x=y --query tags.x -o tsv => y
group wait -n {g} --exists --timeout 20
group create -n {g}-2 -l eastus --tags a=b --query tags.a -o tsv => b
group list --tag a=b {names} => {g}-2
group delete -n {g}-2 --yes
group exists -n {g}-2 => false
provider list --query "[?namespace=='Microsoft.Compute'].registrationState" -o tsv => Registered
provider show -n Microsoft.Network --query registrationState -o tsv => Registered
provider register -n Microsoft.Batch
rest --method get --url "/subscriptions/{sub}?api-version=2022-12-01" --query state -o tsv => Enabled
""",
    "network": """
network vnet create -g {g} -n v1 --address-prefix 10.0.0.0/16 --subnet-name s1 --subnet-prefix 10.0.0.0/24
network vnet list -g {g} {names} => v1
network vnet show -g {g} -n v1 {state} => Succeeded
network vnet update -g {g} -n v1 --set tags.q=r --query tags.q -o tsv => r
network vnet subnet create -g {g} --vnet-name v1 -n s2 --address-prefixes 10.0.1.0/24
network vnet subnet list -g {g} --vnet-name v1 {names} => s1 s2
network nsg create -g {g} -n n1
network nsg rule create -g {g} --nsg-name n1 -n ssh --priority 100 --destination-port-ranges 22 --access Allow --protocol Tcp
network nsg rule create -g {g} --nsg-name n1 -n web --priority 100 --destination-port-ranges 80 => !SecurityRuleConflict
network nsg rule list -g {g} --nsg-name n1 {names} => ssh
network nsg rule update -g {g} --nsg-name n1 -n ssh --priority 110 --query priority -o tsv => 110
network nsg rule show -g {g} --nsg-name n1 -n ssh --query access -o tsv => Allow
network nsg list -g {g} {names} => n1
network nsg show -g {g} -n n1 {state} => Succeeded
network vnet subnet update -g {g} --vnet-name v1 -n s2 --network-security-group n1
network vnet subnet show -g {g} --vnet-name v1 -n s2 --query addressPrefix -o tsv => 10.0.1.0/24
network public-ip create -g {g} -n p1 --sku Standard --allocation-method Static
network public-ip list -g {g} {names} => p1
network public-ip show -g {g} -n p1 {state} => Succeeded
network public-ip update -g {g} -n p1 --idle-timeout 10 --query idleTimeoutInMinutes -o tsv => 10
network nic create -g {g} -n nic1 --vnet-name v1 --subnet s1 --public-ip-address p1 --network-security-group n1
network nic list -g {g} {names} => nic1
network nic show -g {g} -n nic1 {state} => Succeeded
network nic update -g {g} -n nic1 --set tags.w=z
network nic ip-config list -g {g} --nic-name nic1 {names} => ipconfig1
network nic ip-config create -g {g} --nic-name nic1 -n second --vnet-name v1 --subnet s1
network nic ip-config update -g {g} --nic-name nic1 -n second --private-ip-address 10.0.0.77 --query privateIPAddress -o tsv => 10.0.0.77
network nic ip-config show -g {g} --nic-name nic1 -n second --query privateIPAllocationMethod -o tsv => Static
network nic ip-config delete -g {g} --nic-name nic1 -n second
network public-ip create -g {g} -n p2 --sku Standard
network nat gateway create -g {g} -n nat1 --public-ip-addresses p2
network nat gateway list -g {g} {names} => nat1
network nat gateway show -g {g} -n nat1 {state} => Succeeded
network list-usages -l eastus
network vnet check-ip-address -g {g} -n v1 --ip-address 10.0.0.10 --query available -o tsv => true
network vnet list-available-ips -g {g} -n v1
network vnet create -g {g} -n v2 --address-prefix 10.1.0.0/16
network vnet peering create -g {g} -n peer --vnet-name v1 --remote-vnet v2 --allow-vnet-access
network vnet peering list -g {g} --vnet-name v1 {names} => peer
network vnet peering show -g {g} --vnet-name v1 -n peer --query peeringState -o tsv => Initiated
network vnet peering delete -g {g} --vnet-name v1 -n peer
network vnet delete -g {g} -n v2
network nsg delete -g {g} -n n1 => !InUseNetworkSecurityGroupCannotBeDeleted
network route-table create -g {g} -n rt1 => !routeTables
""",
    "vm": """
vm create -g {g} -n vm1 {vm} --nsg-rule SSH --tags a=b
vm show -g {g} -n vm1 {state} => Succeeded
vm show -g {g} -n vm1 -d --query powerState -o tsv => VM running
vm list -g {g} -d {names} => vm1
vm get-instance-view -g {g} -n vm1 --query "instanceView.statuses[1].code" -o tsv => PowerState/running
vm list-ip-addresses -g {g} --query "[].virtualMachine.name" -o tsv => vm1
vm stop -g {g} -n vm1
vm start -g {g} -n vm1
vm restart -g {g} -n vm1
vm deallocate -g {g} -n vm1
vm resize -g {g} -n vm1 --size Standard_D4s_v5 --query hardwareProfile.vmSize -o tsv => Standard_D4s_v5
vm start -g {g} -n vm1
vm redeploy -g {g} -n vm1
vm reapply -g {g} -n vm1
vm simulate-eviction -g {g} -n vm1 => !OperationNotAllowed
vm update -g {g} -n vm1 --set tags.k=v --query tags.k -o tsv => v
vm wait -g {g} -n vm1 --created --timeout 20
vm open-port -g {g} -n vm1 --port 8080
vm list-vm-resize-options -g {g} -n vm1
vm identity assign -g {g} -n vm1
vm identity show -g {g} -n vm1 --query type -o tsv => SystemAssigned
vm identity remove -g {g} -n vm1
vm run-command invoke -g {g} -n vm1 --command-id RunShellScript --scripts "echo hi"
vm run-command list -l eastus
vm run-command create -g {g} --vm-name vm1 --name rc1 --script "echo hello" -l eastus
vm run-command list -g {g} --vm-name vm1 {names} => rc1
vm run-command show -g {g} --vm-name vm1 --name rc1 --instance-view --query instanceView.executionState -o tsv => Succeeded
vm run-command update -g {g} --vm-name vm1 --name rc1 --script "echo 2" --timeout-in-seconds 60
vm run-command delete -g {g} --vm-name vm1 --name rc1 --yes
vm extension set -g {g} --vm-name vm1 -n CustomScript --publisher Microsoft.Azure.Extensions --settings '{"commandToExecute":"hostname"}'
vm extension list -g {g} --vm-name vm1 {names} => CustomScript
vm extension show -g {g} --vm-name vm1 -n CustomScript {state} => Succeeded
vm extension delete -g {g} --vm-name vm1 -n CustomScript
vm extension image list-names -l eastus -p Microsoft.Azure.Extensions {names} => CustomScript
vm extension image list-versions -l eastus -p Microsoft.Azure.Extensions -n CustomScript
vm extension image show -l eastus -p Microsoft.Azure.Extensions -n CustomScript --version 2.1.10 --query operatingSystem -o tsv => Linux
vm disk attach -g {g} --vm-name vm1 --name dd1 --new --size-gb 32
vm disk detach -g {g} --vm-name vm1 --name dd1
vm boot-diagnostics enable -g {g} -n vm1
vm boot-diagnostics get-boot-log-uris -g {g} -n vm1
vm boot-diagnostics disable -g {g} -n vm1
vm nic list -g {g} --vm-name vm1
vm create -g {g} -n vm2 {vm} --public-ip-address '' --data-disk-sizes-gb 32 64 --priority Spot --max-price -1 --eviction-policy Delete --zone 1
vm simulate-eviction -g {g} -n vm2
vm availability-set create -g {g} -n as1
vm availability-set list -g {g} {names} => as1
vm availability-set delete -g {g} -n as1
ppg create -g {g} -n ppg1 -l eastus
ppg show -g {g} -n ppg1 --query name -o tsv => ppg1
ppg delete -g {g} -n ppg1
sshkey create -g {g} -n k1 --public-key @{dir}/key.pub
sshkey list -g {g} {names} => k1
sshkey delete -g {g} -n k1 --yes
vm list-sizes -l eastus
vm list-skus -l eastus --size Standard_D2s_v5 {names} => Standard_D2s_v5
vm list-usage -l eastus
vm image list --query "[?urnAlias=='Ubuntu2404'].sku" -o tsv => server
vm image list-publishers -l eastus
vm image list-offers -l eastus -p Canonical
vm image list-skus -l eastus -p Canonical -f ubuntu-24_04-lts
vm image show --urn Canonical:ubuntu-24_04-lts:server:latest -l eastus --query osDiskImage.operatingSystem -o tsv => Linux
vm create -g {g} -n vm3 --image Ubuntu2404 --size Standard_Nope {key} => !Standard_Nope
vm delete -g {g} -n vm1 --yes
vm show -g {g} -n vm1 => !ResourceNotFound
""",
    "disk, snapshot, image": """
disk create -g {g} -n d1 --size-gb 32
disk list -g {g} {names} => d1
disk show -g {g} -n d1 --query diskState -o tsv => Unattached
disk update -g {g} -n d1 --size-gb 64 --query diskSizeGB -o tsv => 64
disk grant-access -g {g} -n d1 --duration-in-seconds 600
disk delete -g {g} -n d1 --yes => !OperationNotAllowed
disk revoke-access -g {g} -n d1
snapshot create -g {g} -n sn1 --source d1 --query diskSizeGB -o tsv => 64
snapshot list -g {g} {names} => sn1
snapshot show -g {g} -n sn1 {state} => Succeeded
snapshot update -g {g} -n sn1 --set tags.a=b --query tags.a -o tsv => b
snapshot grant-access -g {g} -n sn1 --duration-in-seconds 600
snapshot revoke-access -g {g} -n sn1
disk create -g {g} -n d2 --source sn1 --query diskSizeGB -o tsv => 64
snapshot delete -g {g} -n sn1
disk delete -g {g} -n d2 --yes
vm create -g {g} -n vm1 {vm} --security-type Standard
vm deallocate -g {g} -n vm1
vm generalize -g {g} -n vm1
image create -g {g} -n im1 --source vm1 --hyper-v-generation V2
image list -g {g} {names} => im1
image show -g {g} -n im1 --query hyperVGeneration -o tsv => V2
image update -g {g} -n im1 --tags a=b
image delete -g {g} -n im1
sig create -g {g} --gallery-name gal
sig list -g {g} {names} => gal
sig show -g {g} --gallery-name gal {state} => Succeeded
sig image-definition create -g {g} --gallery-name gal -i def --publisher p --offer o --sku s --os-type Linux --hyper-v-generation V2
sig image-definition list -g {g} --gallery-name gal {names} => def
sig image-definition show -g {g} --gallery-name gal -i def --query osType -o tsv => Linux
sig image-version list -g {g} --gallery-name gal -i def --query "length(@)" -o tsv => 0
""",
    "vmss": """
vmss create -g {g} -n flex {set} --instance-count 2 --orchestration-mode Flexible
vmss create -g {g} -n uni {set} --instance-count 2 --orchestration-mode Uniform
vmss list -g {g} {names} => flex uni
vmss show -g {g} -n uni {state} => Succeeded
vmss scale -g {g} -n uni --new-capacity 3 --query sku.capacity -o tsv => 3
vmss scale -g {g} -n flex --new-capacity 3 --query sku.capacity -o tsv => 3
vmss list-instances -g {g} -n uni --query "[].instanceId" -o tsv => 0 1 2
vmss list-instances -g {g} -n flex --query "length(@)" -o tsv => 3
vmss get-instance-view -g {g} -n uni
vmss get-instance-view -g {g} -n uni --instance-id 0
vmss stop -g {g} -n uni --instance-ids 0
vmss start -g {g} -n uni
vmss restart -g {g} -n uni
vmss deallocate -g {g} -n uni
vmss start -g {g} -n uni
vmss reimage -g {g} -n uni --instance-ids 0
vmss update -g {g} -n uni --set upgradePolicy.mode=Manual --query upgradePolicy.mode -o tsv => Manual
vmss update-instances -g {g} -n uni --instance-ids '*'
vmss list-skus -g {g} -n uni
vmss nic list -g {g} --vmss-name uni --query "length(@)" -o tsv => 3
vmss list-instance-public-ips -g {g} -n uni
vmss extension set -g {g} --vmss-name uni -n CustomScript --publisher Microsoft.Azure.Extensions --version 2.1 --settings '{"commandToExecute":"hostname"}'
vmss extension list -g {g} --vmss-name uni {names} => CustomScript
vmss extension show -g {g} --vmss-name uni -n CustomScript --query publisher -o tsv => Microsoft.Azure.Extensions
vmss extension delete -g {g} --vmss-name uni -n CustomScript
vmss identity assign -g {g} -n uni
vmss identity show -g {g} -n uni --query type -o tsv => SystemAssigned
vmss run-command invoke -g {g} -n uni --instance-id 0 --command-id RunShellScript --scripts "echo hi"
vmss rolling-upgrade start -g {g} -n uni
vmss rolling-upgrade get-latest -g {g} -n uni --query runningStatus.code -o tsv => Completed
vmss simulate-eviction -g {g} -n uni --instance-id 0 => !OperationNotAllowed
vmss delete-instances -g {g} -n uni --instance-ids 0
vmss wait -g {g} -n uni --created --timeout 20
vmss delete -g {g} -n uni
""",
    "deployment and resource": """
deployment group create -g {g} -n main --template-file {dir}/template.json --parameters name=v1 --query properties.outputs.name.value -o tsv => V1
deployment group validate -g {g} --template-file {dir}/template.json --query properties.provisioningState -o tsv => Succeeded
deployment group what-if -g {g} --template-file {dir}/template.json --no-pretty-print --query "changes[?changeType=='Create'].resourceId | length(@)" -o tsv => 1
deployment group list -g {g} {names} => main
deployment group show -g {g} -n main --query properties.provisioningState -o tsv => Succeeded
deployment group export -g {g} -n main
deployment group wait -g {g} -n main --created --timeout 20
deployment operation group list -g {g} -n main
deployment group delete -g {g} -n main
deployment group show -g {g} -n main => !DeploymentNotFound
deployment sub create -l eastus -n of-sub --template-file {dir}/subscription.json --query properties.provisioningState -o tsv => Succeeded
deployment sub validate -l eastus --template-file {dir}/subscription.json
deployment sub what-if -l eastus --template-file {dir}/subscription.json --no-pretty-print --query "changes[].changeType" -o tsv => NoChange
deployment sub list {names} => of-sub
deployment sub show -n of-sub --query location -o tsv => eastus
deployment sub export -n of-sub
deployment operation sub list -n of-sub
deployment sub delete -n of-sub
group exists -n az-of-sub => true
group delete -n az-of-sub --yes
group export -n {g} --query "resources[].type" -o tsv => Microsoft.Network/virtualNetworks
resource list -g {g} {names} => v1
resource list --resource-type Microsoft.Network/virtualNetworks -g {g} {names} => v1
resource show -g {g} -n v1 --resource-type Microsoft.Network/virtualNetworks --query name -o tsv => v1
resource tag -g {g} -n v1 --resource-type Microsoft.Network/virtualNetworks --tags z=y
resource list --tag z=y {names} => v1
resource update -g {g} -n v1 --resource-type Microsoft.Network/virtualNetworks --set tags.t=u
resource create -g {g} -n v2 --resource-type Microsoft.Network/virtualNetworks --properties '{"addressSpace":{"addressPrefixes":["10.30.0.0/16"]}}' -l eastus
resource wait -g {g} -n v2 --resource-type Microsoft.Network/virtualNetworks --exists --timeout 20
resource delete -g {g} -n v2 --resource-type Microsoft.Network/virtualNetworks
resource list --resource-type Microsoft.Storage/storageAccounts => []
""",
    "role, identity, tag, lock": """
role definition list --name Contributor --query "[].roleName" -o tsv => Contributor
role definition create --role-definition {dir}/role.json
role definition list --custom-role-only --query "[].roleName" -o tsv => Starter
role definition update --role-definition {dir}/role.json
identity create -g {g} -n me1
identity list -g {g} {names} => me1
identity show -g {g} -n me1 --query type -o tsv => Microsoft.ManagedIdentity/userAssignedIdentities
role assignment create --assignee-object-id 11111111-1111-1111-1111-111111111111 --assignee-principal-type ServicePrincipal --role Reader --scope /subscriptions/{sub}/resourceGroups/{g}
role assignment list -g {g} --query "[].roleDefinitionName" -o tsv => Reader
role assignment list --all --query "length(@)" -o tsv => 1
role assignment list --scope /subscriptions/{sub}/resourceGroups/{g} --query "[].principalType" -o tsv => ServicePrincipal
role assignment delete --role Reader --scope /subscriptions/{sub}/resourceGroups/{g}
role assignment list -g {g} => []
role definition delete --name Starter
identity delete -g {g} -n me1
tag create -n env1
tag add-value -n env1 --value prod
tag list --query "[?tagName=='env1'].values[].tagValue" -o tsv => prod
tag remove-value -n env1 --value prod
tag delete -n env1 -y
tag create --resource-id /subscriptions/{sub}/resourceGroups/{g} --tags a=1 b=2
tag update --resource-id /subscriptions/{sub}/resourceGroups/{g} --operation Merge --tags c=3 --query properties.tags.c -o tsv => 3
tag list --resource-id /subscriptions/{sub}/resourceGroups/{g} --query properties.tags.b -o tsv => 2
tag delete --resource-id /subscriptions/{sub}/resourceGroups/{g} -y
lock create -g {g} -n l1 --lock-type CanNotDelete
group delete -n {g} --yes => !ScopeLocked
lock list -g {g} {names} => l1
lock show -g {g} -n l1 --query level -o tsv => CanNotDelete
lock update -g {g} -n l1 --notes hello --query notes -o tsv => hello
lock delete -g {g} -n l1
network vnet create -g {g} -n v1 --address-prefix 10.0.0.0/16
lock create -n l2 --lock-type ReadOnly -g {g} --resource v1 --resource-type Microsoft.Network/virtualNetworks
network vnet delete -g {g} -n v1 => !ScopeLocked
lock delete -n l2 -g {g} --resource v1 --resource-type Microsoft.Network/virtualNetworks
group lock create -g {g} -n l3 --lock-type CanNotDelete
group lock list -g {g} {names} => l3
group lock delete -g {g} -n l3
""",
}
