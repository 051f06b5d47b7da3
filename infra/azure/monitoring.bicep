// Managed Prometheus and Grafana over it. It scrapes the pods that the chart's ServiceMonitor names, with `serviceMonitor.apiVersion: azmonitoring.coreos.com/v1`; rules and dashboards are the chart's files (docs/how-to/run-on-azure.md).
param name string
param location string
param tags object
param clusterName string
param administrators string

resource cluster 'Microsoft.ContainerService/managedClusters@2024-09-01' existing = { name: clusterName }

resource workspace 'Microsoft.Monitor/accounts@2023-04-03' = {
  name: '${name}-metrics'
  location: location
  tags: tags
}

resource intake 'Microsoft.Insights/dataCollectionEndpoints@2023-03-11' = {
  name: '${name}-metrics'
  location: location
  tags: tags
  kind: 'Linux'
  properties: {}
}

resource rule 'Microsoft.Insights/dataCollectionRules@2023-03-11' = {
  name: '${name}-metrics'
  location: location
  tags: tags
  kind: 'Linux'
  properties: {
    dataCollectionEndpointId: intake.id
    dataSources: { prometheusForwarder: [{ name: 'prometheus', streams: ['Microsoft-PrometheusMetrics'], labelIncludeFilter: {} }] }
    destinations: { monitoringAccounts: [{ name: 'metrics', accountResourceId: workspace.id }] }
    dataFlows: [{ streams: ['Microsoft-PrometheusMetrics'], destinations: ['metrics'] }]
  }
}

resource association 'Microsoft.Insights/dataCollectionRuleAssociations@2023-03-11' = {
  name: '${name}-metrics'
  scope: cluster
  properties: { dataCollectionRuleId: rule.id }
}

resource grafana 'Microsoft.Dashboard/grafana@2023-09-01' = {
  name: take('${name}-${uniqueString(resourceGroup().id)}', 23)
  location: location
  tags: tags
  sku: { name: 'Standard' }
  identity: { type: 'SystemAssigned' }
  properties: {
    apiKey: 'Disabled'
    grafanaIntegrations: { azureMonitorWorkspaceIntegrations: [{ azureMonitorWorkspaceResourceId: workspace.id }] }
  }
}

// Monitoring Data Reader.
resource reads 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(workspace.id, grafana.id)
  scope: workspace
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'b0d8363b-8ddd-447d-831f-62ca05bff136')
    principalId: grafana.identity.principalId
    principalType: 'ServicePrincipal'
  }
}

// Grafana Admin.
resource administers 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(administrators)) {
  name: guid(grafana.id, administrators)
  scope: grafana
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '22926164-76b3-42b3-bc55-97df8dab3e41')
    principalId: administrators
    principalType: 'Group'
  }
}

output grafana string = grafana.properties.endpoint
