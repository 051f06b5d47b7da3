// The storage account: spool and ledger, that is, the mail. No keys, no public access, no second opinion about deletion (the relay deletes what is finished, and only that), and for each role the
// rights of docs/operating/cluster.md, container by container.
param name string
param location string
param tags object
param sku string
param containerPrefix string
@minValue(90)
param safetyNetDays int
@description('Principal ids by role.')
param principals object
param networkId string
param endpointsId string

var containerNames = ['spool', 'moved', 'ledger', 'cluster', 'private']

// What each role may do. `create`: make a blob that is not there, and neither read, list, overwrite nor delete; `read`: read one whose name is known; `list`: read and list; `all`: what silos do.
var rights = [
  { role: 'ingress', container: 'spool', right: 'create' }
  { role: 'ingress', container: 'cluster', right: 'read' }
  { role: 'egress', container: 'spool', right: 'read' }
  { role: 'egress', container: 'moved', right: 'read' }
  { role: 'egress', container: 'cluster', right: 'read' }
  { role: 'api', container: 'ledger', right: 'list' }
  { role: 'api', container: 'cluster', right: 'read' }
  { role: 'grains', container: 'spool', right: 'all' }
  { role: 'grains', container: 'moved', right: 'all' }
  { role: 'grains', container: 'ledger', right: 'all' }
  { role: 'grains', container: 'cluster', right: 'all' }
  { role: 'grains', container: 'private', right: 'all' }
]

var service = 'Microsoft.Storage/storageAccounts/blobServices'
var blobs = '${service}/containers/blobs'

// The built-in roles give more: to read is to list there, and to write is to overwrite.
var definitions = [
  { right: 'create', description: 'Creates blobs, and cannot read, list, overwrite or delete any.', actions: [], dataActions: ['${blobs}/add/action'] }
  { right: 'read', description: 'Reads blobs.', actions: [], dataActions: ['${blobs}/read'] }
  {
    right: 'all'
    description: 'Reads, lists, creates, writes and deletes blobs, and makes their container where it is missing.'
    actions: ['${service}/containers/read', '${service}/containers/write']
    dataActions: ['${blobs}/read', '${blobs}/add/action', '${blobs}/write', '${blobs}/delete']
  }
]
var definitionOf = { create: 0, read: 1, list: 1, all: 2 }
var neverLists = '!(ActionMatches{\'${blobs}/read\'} AND SubOperationMatches{\'Blob.List\'})'

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: take('${name}${uniqueString(resourceGroup().id)}', 24)
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: sku }
  properties: {
    accessTier: 'Hot'
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: 'Disabled'
    networkAcls: { defaultAction: 'Deny', bypass: 'None' }
  }

  resource blobService 'blobServices' = {
    name: 'default'
    properties: {
      deleteRetentionPolicy: { enabled: false }
      containerDeleteRetentionPolicy: { enabled: true, days: 7 }
      isVersioningEnabled: false
      changeFeed: { enabled: false }
    }

    resource containers 'containers' = [
      for container in containerNames: {
        name: '${containerPrefix}-${container}'
        properties: { publicAccess: 'None' }
      }
    ]
  }

  // Ledger, membership and documents have no age at which they may go.
  resource safetyNet 'managementPolicies' = {
    name: 'default'
    properties: {
      policy: {
        rules: [
          {
            name: 'forgotten-packs'
            type: 'Lifecycle'
            enabled: true
            definition: {
              filters: { blobTypes: ['blockBlob'], prefixMatch: ['${containerPrefix}-spool/', '${containerPrefix}-moved/'] }
              actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: safetyNetDays } } }
            }
          }
        ]
      }
    }
  }
}

resource roles 'Microsoft.Authorization/roleDefinitions@2022-04-01' = [
  for definition in definitions: {
    name: guid(resourceGroup().id, name, definition.right)
    properties: {
      roleName: '${name} ${definition.right} (${uniqueString(resourceGroup().id)})'
      description: definition.description
      type: 'CustomRole'
      assignableScopes: [resourceGroup().id]
      permissions: [{ actions: definition.actions, notActions: [], dataActions: definition.dataActions, notDataActions: [] }]
    }
  }
]

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for right in rights: {
    name: guid(account.id, right.role, right.container, right.right)
    scope: account::blobService::containers[indexOf(containerNames, right.container)]
    properties: {
      description: '${right.role}: ${right.right}'
      roleDefinitionId: roles[definitionOf[right.right]].id
      principalId: principals[right.role]
      principalType: 'ServicePrincipal'
      condition: right.right == 'read' ? neverLists : null
      conditionVersion: right.right == 'read' ? '2.0' : null
    }
  }
]

module endpoint 'endpoint.bicep' = {
  params: {
    name: '${name}-storage'
    location: location
    tags: tags
    targetId: account.id
    group: 'blob'
    zone: 'privatelink.blob.${environment().suffixes.storage}'
    networkId: networkId
    endpointsId: endpointsId
  }
}

output blobEndpoint string = account.properties.primaryEndpoints.blob
