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

// Where operators come from.
param operatorNetworks = ['198.51.100.0/24']
param outboundPrefixLength = 30
