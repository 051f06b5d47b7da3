{{- /* The settings file of one role, as JSON: nothing secret is in it. dict root, role */ -}}
{{- define "angarium.settings" -}}
{{- $v := .root.Values -}}
{{- $role := .role -}}
{{- $isFront := has $role (list "single" "ingress") -}}
{{- $sends := has $role (list "single" "egress") -}}
{{- $all := dict
  "Log:Format" $v.log.format
  "Log:Level" $v.log.level
  "Admin:Listen" "[::]:9464"
  "Http:Listen" (has $role (list "single" "ingress" "api") | ternary "[::]:8080" "")
  "Ingress:Drain" (printf "%ds" (int $v.shutdown.ingressDrain))
  "Egress:DrainTimeout" (printf "%ds" (int $v.shutdown.egressDrain))
  "Shutdown:Timeout" (printf "%ds" (int $v.shutdown.timeout)) -}}
{{- if $v.hostname }}{{ $_ := set $all "Hostname" $v.hostname }}{{ end -}}
{{- /* As much as the memory of its limits indexes. */ -}}
{{- if eq $role "single" }}{{ $_ := set $all "Queue:MaxRecipients" "2000000" }}{{ end -}}
{{- if ne $role "single" -}}
  {{- $_ := set $all "Roles" $role -}}
  {{- $_ := set $all "Cluster:Id" $v.cluster.id -}}
  {{- $_ := set $all "Spool:Container" $v.storage.container -}}
  {{- if $v.cluster.tls.enabled -}}
    {{- $_ := set $all "Cluster:Tls:Certificate" "/etc/angarium/cluster-tls/tls.crt" -}}
    {{- $_ := set $all "Cluster:Tls:Key" "/etc/angarium/cluster-tls/tls.key" -}}
    {{- $_ := set $all "Cluster:Tls:Authority" "/etc/angarium/cluster-tls/ca.crt" -}}
  {{- end -}}
{{- end -}}
{{- if $isFront -}}
  {{- $_ := set $all "Ingress:Smtp:Listen" "[::]:2525" -}}
  {{- $_ := set $all "Ingress:TrustedNetworks" (include "angarium.trusted" .root) -}}
  {{- $_ := set $all "Ingress:MaxScratch" (printf "%d" (mul (index $v $role).scratchMiB 1048576)) -}}
  {{- with $v.service.proxyNetworks }}{{ $_ := set $all "Ingress:ProxyNetworks" (join "," .) }}{{ end -}}
  {{- if include "angarium.smtpTls" .root -}}
    {{- $_ := set $all "Ingress:Submission:Listen" "[::]:5870" -}}
    {{- $_ := set $all "Ingress:Submissions:Listen" "[::]:4650" -}}
    {{- $_ := set $all "Tls:Certificate" "/etc/angarium/tls/tls.crt" -}}
    {{- $_ := set $all "Tls:Key" "/etc/angarium/tls/tls.key" -}}
  {{- end -}}
{{- end -}}
{{- if $sends -}}
  {{- with $v.egress.proxy }}{{ $_ := set $all "Egress:Proxy" . }}{{ end -}}
  {{- if $v.egress.proxySecret }}{{ $_ := set $all "Egress:ProxyPassword" "/etc/angarium/proxy/login" }}{{ end -}}
  {{- $_ := mustMerge $all (include "angarium.pools" $v.egress | fromJson) -}}
{{- end -}}
{{- if and $v.keys.secret (has $role (list "single" "grains")) }}{{ $_ := set $all "Keys:Master" "/etc/angarium/keys/master" }}{{ end -}}
{{- if and $v.api.administratorSecret (has $role (list "single" "api")) }}{{ $_ := set $all "Api:AdministratorKey" "/etc/angarium/administrator/administrator" }}{{ end -}}
{{- mergeOverwrite $all (deepCopy $v.settings) (deepCopy (index $v $role).settings) | toPrettyJson -}}
{{- end -}}

{{- /* Pools and what is served, as JSON. Anything with `pools` and `serves`. */ -}}
{{- define "angarium.pools" -}}
{{- $all := dict -}}
{{- range $name, $addresses := .pools }}{{ $_ := set $all (printf "Egress:Pools:%s" $name) $addresses }}{{ end -}}
{{- with .serves }}{{ $_ := set $all "Egress:Serves" (join "," .) }}{{ end -}}
{{- $all | toJson -}}
{{- end -}}

{{- /* Files of the settings' ConfigMap: one, or one for each node of an egress DaemonSet. dict root, role */ -}}
{{- define "angarium.files" -}}
{{- $egress := .root.Values.egress -}}
{{- if and (eq .role "egress") (eq $egress.kind "DaemonSet") -}}
{{- $common := include "angarium.settings" . | fromJson -}}
{{- range $node, $own := $egress.nodes }}
{{ $node }}.json: |
  {{- mergeOverwrite (deepCopy $common) (dict "Admin:Listen" (printf "[::]:%d" (int $egress.hostAdminPort))) (include "angarium.pools" $own | fromJson) | toPrettyJson | nindent 2 }}
{{- end -}}
{{- else -}}
angarium.json: |
  {{- include "angarium.settings" . | nindent 2 }}
{{- end -}}
{{- end -}}
