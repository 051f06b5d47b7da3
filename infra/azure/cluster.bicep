// AKS, with workload identity, network policies that hold, and no accounts of its own: who may do what is Entra's.
param name string
param location string
param tags object
param nodeSize string
param nodesMin int
param nodesMax int
param zones array
param operatorNetworks array
param administrators string[]
param networkName string
param subnetName string

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: '${name}-cluster'
  location: location
  tags: tags
}

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' existing = {
  name: networkName

  resource nodes 'subnets' existing = { name: subnetName }
}

// Network Contributor, on the machines' subnet alone.
resource joins 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(network::nodes.id, identity.id)
  scope: network::nodes
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '4d97b98b-1d4f-4787-a291-c67834d212e7')
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource cluster 'Microsoft.ContainerService/managedClusters@2024-09-01' = {
  name: name
  location: location
  tags: tags
  sku: { name: 'Base', tier: 'Standard' }
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
  properties: {
    dnsPrefix: name
    disableLocalAccounts: true
    aadProfile: { managed: true, enableAzureRBAC: true }
    oidcIssuerProfile: { enabled: true }
    securityProfile: { workloadIdentity: { enabled: true } }
    apiServerAccessProfile: { authorizedIPRanges: operatorNetworks }
    autoUpgradeProfile: { upgradeChannel: 'stable', nodeOSUpgradeChannel: 'NodeImage' }
    azureMonitorProfile: { metrics: { enabled: true } }
    networkProfile: {
      networkPlugin: 'azure'
      networkPluginMode: 'overlay'
      networkDataplane: 'cilium'
      networkPolicy: 'cilium'
      outboundType: 'userAssignedNATGateway'
      loadBalancerSku: 'standard'
      podCidr: '10.244.0.0/16'
      serviceCidr: '10.21.0.0/16'
      dnsServiceIP: '10.21.0.10'
    }
    agentPoolProfiles: [
      {
        name: 'system'
        mode: 'System'
        count: 2
        vmSize: nodeSize
        osSKU: 'AzureLinux'
        availabilityZones: zones
        vnetSubnetID: network::nodes.id
        nodeTaints: ['CriticalAddonsOnly=true:NoSchedule']
      }
      {
        name: 'mail'
        mode: 'User'
        enableAutoScaling: true
        count: nodesMin
        minCount: nodesMin
        maxCount: nodesMax
        vmSize: nodeSize
        osSKU: 'AzureLinux'
        availabilityZones: zones
        vnetSubnetID: network::nodes.id
        upgradeSettings: { maxSurge: '1', drainTimeoutInMinutes: 30 }
      }
    ]
  }
  dependsOn: [joins]
}

// Azure Kubernetes Service RBAC Cluster Admin. Users and groups alike: Azure finds out which.
resource administer 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for administrator in administrators: {
    name: guid(cluster.id, administrator)
    scope: cluster
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b')
      principalId: administrator
    }
  }
]

output name string = cluster.name
output issuer string = cluster.properties.oidcIssuerProfile.issuerURL
