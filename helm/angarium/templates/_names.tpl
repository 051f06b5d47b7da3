{{- define "angarium.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "angarium.fullname" -}}
{{- $name := include "angarium.name" . -}}
{{- default (contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name)) .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- /* The workloads of the mode, as a list in JSON. */ -}}
{{- define "angarium.roles" -}}
{{- eq .Values.mode "single" | ternary (list "single") (list "ingress" "grains" "egress" "api") | toJson -}}
{{- end -}}

{{- /* Whether any pod of this release takes mail: one with egress alone has none. */ -}}
{{- define "angarium.takesMail" -}}
{{- if or (eq .Values.mode "single") .Values.ingress.autoscaling.enabled (gt (int .Values.ingress.replicas) 0) -}}true{{- end -}}
{{- end -}}

{{- /* Who takes SMTP, and who has the API. */ -}}
{{- define "angarium.front" -}}{{ eq .Values.mode "single" | ternary "single" "ingress" }}{{- end -}}
{{- define "angarium.back" -}}{{ eq .Values.mode "single" | ternary "single" "api" }}{{- end -}}

{{- /* dict root, role */ -}}
{{- define "angarium.workload" -}}
{{- eq .role "single" | ternary (include "angarium.fullname" .root) (printf "%s-%s" (include "angarium.fullname" .root) .role) -}}
{{- end -}}

{{- /* dict root, role */ -}}
{{- define "angarium.selector" -}}
app.kubernetes.io/name: {{ include "angarium.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .role }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- /* dict root, role (empty = of all) */ -}}
{{- define "angarium.labels" -}}
{{ include "angarium.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "angarium.image" -}}
{{- if .Values.image.digest -}}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{- else -}}{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}{{- end -}}
{{- end -}}

{{- /* Who may relay. Behind anything but a ClusterIP an address may be a load balancer's, for the world. */ -}}
{{- define "angarium.trusted" -}}
{{- $private := and .Values.trustPrivateNetworks (eq .Values.service.type "ClusterIP") | ternary (list "10.0.0.0/8" "172.16.0.0/12" "192.168.0.0/16" "100.64.0.0/10" "fd00::/8") list -}}
{{- concat .Values.trustedNetworks $private | join "," -}}
{{- end -}}

{{- define "angarium.smtpTls" -}}
{{- if .Values.tls.secret -}}{{ .Values.tls.secret }}{{- else if .Values.tls.certManager.issuer -}}{{ include "angarium.fullname" . }}-smtp-tls{{- end -}}
{{- end -}}

{{- /* dict root, role */ -}}
{{- define "angarium.clusterTls" -}}
{{- $tls := .root.Values.cluster.tls -}}
{{- if and $tls.enabled (ne .role "single") -}}{{ default (printf "%s-cluster-tls" (include "angarium.workload" .)) $tls.secret }}{{- end -}}
{{- end -}}
