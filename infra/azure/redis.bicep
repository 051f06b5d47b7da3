// Azure Managed Redis: the index of the queues. It may lose anything at any time, so that nothing is kept of it on disk; that it evicts nothing is what the relay needs of it.
param name string
param location string
param tags object
param sku string
param networkId string
param endpointsId string

resource redis 'Microsoft.Cache/redisEnterprise@2025-07-01' = {
  name: '${name}-${uniqueString(resourceGroup().id)}'
  location: location
  tags: tags
  sku: { name: sku }
  properties: { minimumTlsVersion: '1.2', highAvailability: 'Enabled', publicNetworkAccess: 'Disabled' }

  resource database 'databases' = {
    name: 'default'
    properties: {
      port: 10000
      clientProtocol: 'Encrypted'
      // One server to its clients.
      clusteringPolicy: 'EnterpriseCluster'
      evictionPolicy: 'NoEviction'
      // The relay logs in with the password in the setting Redis, which only silos have.
      accessKeysAuthentication: 'Enabled'
      persistence: { aofEnabled: false, rdbEnabled: false }
    }
  }
}

module endpoint 'endpoint.bicep' = {
  params: {
    name: '${name}-redis'
    location: location
    tags: tags
    targetId: redis.id
    group: 'redisEnterprise'
    zone: 'privatelink.redis.azure.net'
    networkId: networkId
    endpointsId: endpointsId
  }
}

output address string = '${redis.properties.hostName}:${redis::database.properties.port}'
