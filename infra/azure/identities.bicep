// One identity for each role, which only the pods with that role's service account can take on. What each may do is said in storage.bicep.
param name string
param location string
param tags object
param issuer string
param namespace string
param fullname string

var roles = ['ingress', 'grains', 'egress', 'api']

resource identities 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = [
  for role in roles: {
    name: '${name}-${role}'
    location: location
    tags: tags
  }
]

resource pods 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2023-01-31' = [
  for (role, i) in roles: {
    parent: identities[i]
    name: 'pods'
    properties: {
      issuer: issuer
      subject: 'system:serviceaccount:${namespace}:${fullname}-${role}'
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
