// Copy it and change it. Everything that is not here has the default that main.bicep says.
using 'main.bicep'

param name = 'angarium'
param tags = { service: 'mail' }

// Retry:Expire 4 days, messages sent up to 30 days ahead, and mail held for no longer than a week.
param longestLifetimeDays = 41
param safetyNetDays = 180

param redisSku = 'Balanced_B5'
param nodesMin = 3
param nodesMax = 12

// Releases of the chart: `angarium` in the namespace `mail`, and beside it one with the pool `bulk` alone (helm/angarium/examples/pool.yaml).
param namespace = 'mail'
param poolReleases = ['angarium-bulk']

// Where operators come from, and who they are: `az ad signed-in-user show --query id -o tsv`, or the id of a group.
param operatorNetworks = ['198.51.100.0/24']
param clusterAdministrators = []
param outboundPrefixLength = 30
