// All that a cluster of Angarium needs of Azure, in one resource group: network, AKS, storage, Redis, the identities of its roles with the rights of docs/operating/cluster.md, and monitoring.
//   az deployment group create -g GROUP -f infra/azure/main.bicep -p infra/azure/example.bicepparam
// docs/how-to/run-on-azure.md goes on from there.
targetScope = 'resourceGroup'

@description('How names begin: lower-case letters and digits.')
@minLength(3)
@maxLength(12)
param name string = 'angarium'

@description('Region. It should have availability zones.')
param location string = resourceGroup().location

@description('Tags of everything that takes some.')
param tags object = {}

@description('Namespace of the chart\'s release.')
param namespace string = 'mail'

@description('What the chart\'s objects are called: its release, when that is called angarium. Service accounts are called so, then `-` and the role.')
param fullname string = 'angarium'

@description('What further releases of egress alone are called, such as angarium-bulk: their pods take on the identity of egress, too. Fifteen at most, for an identity knows twenty subjects.')
@maxLength(15)
param poolReleases string[] = []

@description('How the containers\' names begin (`Spool:Container`).')
@minLength(1)
@maxLength(50)
param containerPrefix string = 'angarium'

@description('Copies of what is stored: in three zones, also in a second region, or in one data centre.')
@allowed(['Standard_ZRS', 'Standard_GZRS', 'Standard_LRS'])
param storageSku string = 'Standard_ZRS'

@description('Longest life of a message in days: `Retry:Expire`, `sendAt` and the longest time that mail may be held, together.')
@minValue(5)
param longestLifetimeDays int = 60

@description('Days after which packs that were forgotten are deleted. A safety net for a bill, not a means: the relay deletes what is finished by itself. It must exceed the longest life of a message.')
@minValue(90)
param safetyNetDays int = 365

@description('Size of Azure Managed Redis. 300 octets for each recipient that may wait at a time: Balanced_B5 has room for some 15 million.')
param redisSku string = 'Balanced_B5'

@description('Size of the machines.')
param nodeSize string = 'Standard_D4ds_v5'

@description('Least number of machines for mail.')
@minValue(1)
param nodesMin int = 3

@description('Greatest number of machines for mail.')
@minValue(1)
param nodesMax int = 12

@description('Availability zones; empty where the region has none.')
param zones array = ['1', '2', '3']

@description('Networks (CIDR) that may reach the API server of Kubernetes; empty = any.')
param operatorNetworks array = []

@description('Object ids of users and groups that may do everything inside the cluster; empty = nobody yet, for being its owner is no right there.')
param clusterAdministrators string[] = []

@description('Length of the prefix of public addresses that mail goes out from: 31 = two, 28 = sixteen. Each needs a PTR record.')
@minValue(28)
@maxValue(31)
param outboundPrefixLength int = 31

@description('Object id of the group whose members administer Grafana; empty = nobody yet.')
param grafanaAdministrators string = ''

module network 'network.bicep' = {
  params: { name: name, location: location, tags: tags, zones: zones, outboundPrefixLength: outboundPrefixLength }
}

module cluster 'cluster.bicep' = {
  params: {
    name: name
    location: location
    tags: tags
    nodeSize: nodeSize
    nodesMin: nodesMin
    nodesMax: nodesMax
    zones: zones
    operatorNetworks: operatorNetworks
    administrators: clusterAdministrators
    networkName: network.outputs.name
    subnetName: network.outputs.nodesName
  }
}

module identities 'identities.bicep' = {
  params: { name: name, location: location, tags: tags, issuer: cluster.outputs.issuer, namespace: namespace, fullname: fullname, poolReleases: poolReleases }
}

module storage 'storage.bicep' = {
  params: {
    name: name
    location: location
    tags: tags
    sku: storageSku
    containerPrefix: containerPrefix
    safetyNetDays: safetyNetDays > longestLifetimeDays ? safetyNetDays : fail('safetyNetDays must exceed longestLifetimeDays: a rule that deletes mail before it may have been delivered loses it.')
    principals: identities.outputs.principals
    networkId: network.outputs.id
    endpointsId: network.outputs.endpointsId
  }
}

module redis 'redis.bicep' = {
  params: { name: name, location: location, tags: tags, sku: redisSku, networkId: network.outputs.id, endpointsId: network.outputs.endpointsId }
}

module monitoring 'monitoring.bicep' = {
  params: { name: name, location: location, tags: tags, clusterName: cluster.outputs.name, administrators: grafanaAdministrators }
}

@description('Name of the cluster: `az aks get-credentials`.')
output clusterName string = cluster.outputs.name

@description('`Spool:Azure` of every role: each reaches with its identity what it may.')
output storageAccount string = storage.outputs.blobEndpoint

@description('Host and port of Redis; `az redisenterprise database list-keys` has the password.')
output redis string = redis.outputs.address

@description('Client ids by role: the annotation azure.workload.identity/client-id of its service account.')
output clientIds object = identities.outputs.clientIds

@description('Addresses that mail goes out from: each wants a PTR record, and an SPF record has them.')
output outboundAddresses string = network.outputs.outboundAddresses

@description('Address of Grafana.')
output grafana string = monitoring.outputs.grafana
