{{- /* The pod template of one workload. dict root, role */ -}}
{{- define "angarium.pod" -}}
{{- $root := .root -}}
{{- $role := .role -}}
{{- $v := $root.Values -}}
{{- $own := index $v $role -}}
{{- $isFront := has $role (list "single" "ingress") -}}
{{- $onHost := and (eq $role "egress") (eq $v.egress.kind "DaemonSet") -}}
{{- $admin := $onHost | ternary $v.egress.hostAdminPort 9464 -}}
{{- $pause := eq $role "ingress" | ternary $v.ingress.preStopSeconds 0 -}}
metadata:
  labels:
    {{- include "angarium.labels" . | nindent 4 }}
    {{- with $own.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/settings: {{ include "angarium.files" . | sha256sum }}
    {{- with $own.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "angarium.workload" . }}
  automountServiceAccountToken: false
  # A Service named like the chart would put ANGARIUM_… into the environment, and each would be taken for a setting.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ add $v.shutdown.timeout $pause 20 }}
  securityContext:
    {{- toYaml $v.podSecurityContext | nindent 4 }}
  {{- with $v.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with $v.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- if $onHost }}
  hostNetwork: true
  dnsPolicy: ClusterFirstWithHostNet
  {{- end }}
  containers:
    - name: angarium
      image: {{ include "angarium.image" $root }}
      imagePullPolicy: {{ $v.image.pullPolicy }}
      args: [serve]
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      env:
        - {name: DOTNET_EnableDiagnostics, value: "0"}
        # Below the volume's own root, which is the kubelet's.
        - {name: ANGARIUM_Data, value: /var/lib/angarium/data}
        {{- if $onHost }}
        - name: NODE_NAME
          valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
        - {name: ANGARIUM_CONFIG, value: /etc/angarium/settings/$(NODE_NAME).json}
        {{- else }}
        - {name: ANGARIUM_CONFIG, value: /etc/angarium/settings/angarium.json}
        {{- end }}
        {{- with include "angarium.secretEnv" . | trim }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- with $own.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - {name: admin, containerPort: {{ $admin }}{{ if $onHost }}, hostPort: {{ $admin }}{{ end }}}
        {{- if has $role (list "single" "ingress" "api") }}
        - {name: http, containerPort: 8080}
        {{- end }}
        {{- if $isFront }}
        - {name: smtp, containerPort: 2525}
        {{- if include "angarium.smtpTls" $root }}
        - {name: submission, containerPort: 5870}
        - {name: submissions, containerPort: 4650}
        {{- end }}
        {{- end }}
        {{- if eq $role "grains" }}
        - {name: silo, containerPort: 11111}
        - {name: gateway, containerPort: 30000}
        {{- end }}
      # What waits for a silo, or reads a long ledger, answers nobody yet.
      startupProbe:
        httpGet: {path: /healthz, port: admin}
        periodSeconds: 2
        failureThreshold: 300
      readinessProbe:
        httpGet: {path: /readyz, port: admin}
        periodSeconds: 5
        failureThreshold: 2
      livenessProbe:
        httpGet: {path: /healthz, port: admin}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      {{- if $pause }}
      lifecycle:
        preStop: {sleep: {seconds: {{ $pause }}}}
      {{- end }}
      resources:
        {{- toYaml $own.resources | nindent 8 }}
      volumeMounts:
        - {name: data, mountPath: /var/lib/angarium}
        - {name: tmp, mountPath: /tmp}
        - {name: settings, mountPath: /etc/angarium/settings, readOnly: true}
        {{- range $name, $secret := include "angarium.secretFiles" . | fromJson }}
        - {name: {{ $name }}, mountPath: /etc/angarium/{{ $name }}, readOnly: true}
        {{- end }}
        {{- with $own.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    {{- if ne $role "single" }}
    - name: data
      emptyDir: {sizeLimit: {{ eq $role "ingress" | ternary (printf "%dMi" (add (div (mul $v.ingress.scratchMiB 5) 4) 64)) "64Mi" }}}
    {{- else if $v.single.persistence.existingClaim }}
    - name: data
      persistentVolumeClaim: {claimName: {{ $v.single.persistence.existingClaim }}}
    {{- end }}
    - name: tmp
      emptyDir: {sizeLimit: 64Mi}
    - name: settings
      configMap: {name: {{ include "angarium.workload" . }}}
    {{- range $name, $secret := include "angarium.secretFiles" . | fromJson }}
    - name: {{ $name }}
      secret: {secretName: {{ $secret }}, defaultMode: 0440}
    {{- end }}
    {{- with $own.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if and $v.topologySpread (ne $role "single") (not $onHost) }}
  topologySpreadConstraints:
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: {{ $v.topologySpread }}
      labelSelector:
        matchLabels:
          {{- include "angarium.selector" $ | nindent 10 }}
      matchLabelKeys: [pod-template-hash]
    {{- end }}
  {{- end }}
  {{- with $own.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $own.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if $onHost }}
  affinity:
    nodeAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        nodeSelectorTerms:
          {{- range keys $v.egress.nodes | sortAlpha }}
          - matchFields: [{key: metadata.name, operator: In, values: [{{ . }}]}]
          {{- end }}
  {{- else if $own.affinity }}
  affinity:
    {{- toYaml $own.affinity | nindent 4 }}
  {{- end }}
{{- end -}}

{{- /* What a role proves itself by and reaches its stores with: each its own, from Secrets. dict root, role */ -}}
{{- define "angarium.secretEnv" -}}
{{- if ne .role "single" -}}
{{- $v := .root.Values -}}
{{- $role := .role -}}
{{- $isSilo := eq $role "grains" -}}
{{- range $isSilo | ternary (list "ingress" "grains" "egress" "api") (list $role) }}
- name: ANGARIUM_Cluster__Secret__{{ . }}
  valueFrom: {secretKeyRef: {name: {{ $v.cluster.secret }}, key: {{ . }}}}
{{- end }}
{{- if $isSilo }}
- name: ANGARIUM_Cluster__Advertise
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
- name: ANGARIUM_Redis
  valueFrom: {secretKeyRef: {name: {{ $v.redis.secret }}, key: connection}}
{{- end }}
{{- $keys := index $v.storage.secrets $role }}
{{- if not $keys }}
- {name: ANGARIUM_Spool__Azure, value: {{ $v.storage.account | quote }}}
{{- else if $isSilo }}
- name: ANGARIUM_Spool__Azure
  valueFrom: {secretKeyRef: {name: {{ $keys }}, key: account}}
{{- else }}
{{- range dict "ingress" (list "spool" "cluster") "egress" (list "spool" "moved" "cluster") "api" (list "ledger" "cluster") | dig $role list }}
- name: ANGARIUM_Spool__Containers__{{ . }}
  valueFrom: {secretKeyRef: {name: {{ $keys }}, key: {{ . }}}}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Secrets that are files: folder in /etc/angarium → Secret, as JSON. dict root, role */ -}}
{{- define "angarium.secretFiles" -}}
{{- $v := .root.Values -}}
{{- $files := dict -}}
{{- if has .role (list "single" "ingress") }}{{ with include "angarium.smtpTls" .root }}{{ $_ := set $files "tls" . }}{{ end }}{{ end -}}
{{- with include "angarium.clusterTls" . }}{{ $_ := set $files "cluster-tls" . }}{{ end -}}
{{- if has .role (list "single" "grains") }}{{ with $v.keys.secret }}{{ $_ := set $files "keys" . }}{{ end }}{{ end -}}
{{- if has .role (list "single" "api") }}{{ with $v.api.administratorSecret }}{{ $_ := set $files "administrator" . }}{{ end }}{{ end -}}
{{- if has .role (list "single" "egress") }}{{ with $v.egress.proxySecret }}{{ $_ := set $files "proxy" . }}{{ end }}{{ end -}}
{{- $files | toJson -}}
{{- end -}}
