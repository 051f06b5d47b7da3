// Checks manifests against the published schemas of Kubernetes and of the operators that the chart has objects for: node kubernetes-schemas.mjs FILE...
// Prints a line for each mistake; exit code 1 if there is one. YAML is read as Kubernetes reads it (1.1).
import { readFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";

const packages = {
  "cert-manager.io/v1": "@kubernetes-models/cert-manager/cert-manager.io/v1",
  "keda.sh/v1alpha1": "@kubernetes-models/keda/keda.sh/v1alpha1",
  "monitoring.coreos.com/v1": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
};
let [checked, mistakes] = [0, 0];
for (const file of process.argv.slice(2)) {
  for (const document of parseAllDocuments(readFileSync(file, "utf8"), { version: "1.1" })) {
    for (const error of document.errors) fail(file, "YAML", error.message);
    const manifest = document.toJS();
    if (manifest === null) continue;
    // Azure's copy of a kind has another group, and the same fields.
    if (manifest.apiVersion === "azmonitoring.coreos.com/v1") manifest.apiVersion = "monitoring.coreos.com/v1";
    const { apiVersion, kind } = manifest;
    try {
      const model = (await import(`${packages[apiVersion] ?? `kubernetes-models/${apiVersion}`}/${kind}`))[kind];
      new model(manifest).validate();
      checked++;
    } catch (e) {
      fail(file, `${kind} ${manifest.metadata?.name}`, e.message);
    }
  }
}
function fail(file, what, why) {
  mistakes++;
  console.log(`${file}: ${what}: ${why}`);
}
console.log(`${checked} manifests meet their schemas, ${mistakes} do not`);
process.exit(mistakes > 0 || checked === 0 ? 1 : 0);
