// One identity for each role, which only the pods with that role's service account can take on. What each may do is said in storage.bicep.
param name string
param location string
param tags object
param issuer string
param namespace string
param fullname string
param poolReleases string[]

var roles = ['ingress', 'grains', 'egress', 'api']

resource identities 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = [
  for role in roles: {
    name: '${name}-${role}'
    location: location
    tags: tags
  }
]

// Releases beside the first have egress alone.
var first = map(range(0, length(roles)), i => { identity: i, name: 'pods', subject: '${fullname}-${roles[i]}' })
var further = map(poolReleases, release => { identity: 2, name: release, subject: '${release}-egress' })
var accounts = concat(first, further)

// One after the other: an identity takes one change at a time.
@batchSize(1)
resource pods 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2023-01-31' = [
  for account in accounts: {
    parent: identities[account.identity]
    name: account.name
    properties: {
      issuer: issuer
      subject: 'system:serviceaccount:${namespace}:${account.subject}'
      audiences: ['api://AzureADTokenExchange']
    }
  }
]

output principals object = {
  ingress: identities[0].properties.principalId
  grains: identities[1].properties.principalId
  egress: identities[2].properties.principalId
  api: identities[3].properties.principalId
}
output clientIds object = {
  ingress: identities[0].properties.clientId
  grains: identities[1].properties.clientId
  egress: identities[2].properties.clientId
  api: identities[3].properties.clientId
}
