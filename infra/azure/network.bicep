// The network: machines, private endpoints of storage and Redis, and the public addresses that mail goes out from.
param name string
param location string
param tags object
param zones array
param outboundPrefixLength int

resource outbound 'Microsoft.Network/publicIPPrefixes@2024-05-01' = {
  name: '${name}-outbound'
  location: location
  tags: tags
  zones: zones
  sku: { name: 'Standard', tier: 'Regional' }
  properties: { prefixLength: outboundPrefixLength, publicIPAddressVersion: 'IPv4' }
}

resource gateway 'Microsoft.Network/natGateways@2024-05-01' = {
  name: '${name}-outbound'
  location: location
  tags: tags
  sku: { name: 'Standard' }
  // Longer than an SMTP session may be silent (RFC 5321 §4.5.3.2.6: ten minutes).
  properties: { idleTimeoutInMinutes: 15, publicIpPrefixes: [{ id: outbound.id }] }
}

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: '${name}-network'
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: ['10.20.0.0/16'] }
    subnets: [
      { name: 'nodes', properties: { addressPrefix: '10.20.0.0/20', natGateway: { id: gateway.id } } }
      { name: 'endpoints', properties: { addressPrefix: '10.20.16.0/26', privateEndpointNetworkPolicies: 'Enabled' } }
    ]
  }

  resource nodes 'subnets' existing = { name: 'nodes' }
  resource endpoints 'subnets' existing = { name: 'endpoints' }
}

output id string = network.id
output name string = network.name
output nodesName string = network::nodes.name
output endpointsId string = network::endpoints.id
output outboundAddresses string = outbound.properties.ipPrefix
