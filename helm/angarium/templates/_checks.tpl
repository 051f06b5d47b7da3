{{- /* What no schema can say. Each line names the value and the fix. */ -}}
{{- define "angarium.checks" -}}
{{- $v := .Values -}}
{{- $s := $v.shutdown -}}
{{- if lt (int $s.timeout) (add $s.ingressDrain $s.egressDrain 10 | int) }}{{ fail (printf "shutdown.timeout: is too short for shutdown.ingressDrain and shutdown.egressDrain, which follow each other; set it to at least %d." (add $s.ingressDrain $s.egressDrain 10)) }}{{ end -}}
{{- $hides := and (ne $v.service.type "ClusterIP") (eq $v.service.externalTrafficPolicy "Cluster") (empty $v.service.proxyNetworks) -}}
{{- if and $hides $v.trustedNetworks }}{{ fail "service.externalTrafficPolicy: `Cluster` shows clients with addresses of nodes, so trustedNetworks could make an open relay; set `Local`, or service.proxyNetworks, or empty trustedNetworks." }}{{ end -}}
{{- if and $v.tls.certManager.issuer (not $v.tls.secret) (not $v.tls.certManager.names) (not $v.hostname) }}{{ fail "tls.certManager.names: name what the certificate is for, or set hostname." }}{{ end -}}
{{- $name := include "angarium.fullname" . -}}
{{- if and (eq $v.mode "cluster") (lookup "apps/v1" "StatefulSet" .Release.Namespace $name) }}{{ fail (printf "mode: this release is a single pod, whose volume has the queue, and a cluster would begin empty; install the cluster as a release of another name, and remove %s when its queue is empty (docs/operating/upgrade.md)." .Release.Name) }}{{ end -}}
{{- if and (eq $v.mode "single") (lookup "apps/v1" "Deployment" .Release.Namespace (printf "%s-grains" $name)) }}{{ fail (printf "mode: this release is a cluster, which has the queue, and a single pod would begin empty; install the pod as a release of another name, and remove %s when its queue is empty (docs/operating/upgrade.md)." .Release.Name) }}{{ end -}}
{{- if eq $v.mode "cluster" -}}
  {{- if not $v.cluster.secret }}{{ fail "cluster.secret: name the Secret with the roles' secrets; make it with: kubectl create secret generic angarium-roles --from-literal=ingress=$(openssl rand -hex 16) --from-literal=grains=$(openssl rand -hex 16) --from-literal=egress=$(openssl rand -hex 16) --from-literal=api=$(openssl rand -hex 16)" }}{{ end -}}
  {{- if not $v.redis.secret }}{{ fail "redis.secret: name the Secret whose key `connection` is the address of Redis, or set mode to `single`." }}{{ end -}}
  {{- range list "grains" "ingress" "egress" "api" -}}
    {{- if and (not (index $v.storage.secrets .)) (not $v.storage.account) }}{{ fail (printf "storage.secrets.%s: name the Secret with the storage keys of this role, or set storage.account to the account's address, for workload identity." .) }}{{ end -}}
  {{- end -}}
  {{- $tls := $v.cluster.tls -}}
  {{- if and $tls.enabled (not $tls.secret) (not $tls.certManager.issuer) }}{{ fail "cluster.tls.secret: name the Secret with tls.crt, tls.key and ca.crt, or set cluster.tls.certManager.issuer." }}{{ end -}}
  {{- $onHost := eq $v.egress.kind "DaemonSet" -}}
  {{- if and $onHost (empty $v.egress.nodes) }}{{ fail "egress.nodes: name the nodes of the DaemonSet and the addresses that each holds." }}{{ end -}}
  {{- if and (not $onHost) $v.egress.nodes }}{{ fail "egress.nodes: is for a DaemonSet only; set egress.kind, or use egress.pools." }}{{ end -}}
  {{- if and $onHost $v.networkPolicy.enabled (empty $v.networkPolicy.nodes) }}{{ fail "networkPolicy.nodes: name the networks of the nodes of the DaemonSet: silos know its pods by these alone." }}{{ end -}}
  {{- if and $v.keda.enabled $onHost }}{{ fail "keda.enabled: a DaemonSet has one pod for each node; set egress.kind to Deployment." }}{{ end -}}
  {{- if and $v.keda.enabled (not $v.keda.serverAddress) }}{{ fail "keda.serverAddress: set the address of Prometheus, such as http://prometheus.monitoring:9090." }}{{ end -}}
  {{- if and $v.keda.enabled (not (or $v.keda.connections $v.keda.age $v.keda.query)) }}{{ fail "keda.connections: set it, keda.age or keda.query: nothing is left to scale by." }}{{ end -}}
{{- else if $v.keda.enabled -}}
  {{- fail "keda.enabled: a single pod is not scaled; set mode to `cluster`." -}}
{{- end -}}
{{- end -}}
