//! The Helm chart: what it makes is what Kubernetes takes, and what the program reads.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::server::{bindery, told};
use crate::support::soon;
use crate::support::venv::Venv;

/// Helm itself as a library, and the schemas of Kubernetes.
static HELM: Venv = Venv::new("helm", &["helm-python-sdk==0.2.2", "kubernetes-validate==1.37.0"]);

fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/ops/helm/bindery")
}

fn read(file: &str) -> String {
    std::fs::read_to_string(chart().join(file)).unwrap()
}

/// The one object of a kind.
fn object<'a>(case: &'a Value, kind: &str) -> &'a Value {
    let objects = case["objects"].as_array().unwrap_or_else(|| panic!("{case}"));
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let one = found.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(found.next().is_none(), "several {kind}");
    one
}

fn kinds(case: &Value) -> BTreeSet<&str> {
    case["objects"].as_array().unwrap().iter().map(|object| object["kind"].as_str().unwrap()).collect()
}

fn pod(case: &Value) -> &Value {
    &object(case, "StatefulSet")["spec"]["template"]["spec"]
}

fn container(case: &Value) -> &Value {
    &pod(case)["containers"][0]
}

/// Holds the container's variables and file to what the program knows: `bindery config` prints what it reads.
async fn is_read(case: &Value, folder: &Path, expected: &[&str]) {
    let mut command = bindery(folder);
    command.arg("config").env("HOME", folder);
    for variable in container(case)["env"].as_array().unwrap() {
        let name = variable["name"].as_str().unwrap();
        // Of what Kubernetes fills in, the name is all that can be said. Files are where the pod has them.
        let value = match variable["value"].as_str() {
            Some(path) if path.starts_with("/etc/") => {
                let file = folder.join(path.rsplit('/').next().unwrap());
                std::fs::write(&file, "ann=a-key-of-ann\nops=a-key-of-ops\n").unwrap();
                if path.ends_with("api-key") {
                    std::fs::write(&file, "sk-one").unwrap();
                }
                let mounts = container(case)["volumeMounts"].as_array().unwrap();
                assert!(mounts.iter().any(|mount| path.starts_with(mount["mountPath"].as_str().unwrap())), "{path}");
                file.to_str().unwrap().to_owned()
            }
            Some(value) => value.to_owned(),
            None => "filled-in".to_owned(),
        };
        command.env(name, value);
    }
    if case["objects"].as_array().unwrap().iter().any(|object| object["kind"] == "ConfigMap") {
        let toml = object(case, "ConfigMap")["data"]["bindery.toml"].as_str().unwrap();
        let file = folder.join("bindery.toml");
        std::fs::write(&file, toml).unwrap();
        command.arg("--config").arg(file);
    }
    let (code, out, err) = told(soon("the configuration", command.output()).await.unwrap());
    assert!(code == 0 && !err.contains("not read by anything"), "{err}");
    for line in expected {
        assert!(out.contains(line), "{line}: {out}");
    }
}

#[tokio::test]
async fn what_the_chart_makes_is_taken_by_kubernetes_and_read_by_the_program() {
    let Some(python) = HELM.program("python").await else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/helm.py");
    let (code, out, err) = told(soon("Helm", Command::new(python).arg(script).arg(chart()).output()).await.unwrap());
    assert_eq!(code, 0, "{err}");
    let made: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(made["lint"]["errors"], json!([]), "{}", made["lint"]);

    let one = &made["one"];
    assert_eq!(kinds(one), ["PodDisruptionBudget", "Service", "ServiceAccount", "StatefulSet"].into());
    assert_eq!(object(one, "StatefulSet")["spec"]["replicas"], 1);
    assert_eq!(object(one, "StatefulSet")["spec"]["volumeClaimTemplates"][0]["metadata"]["name"], "data");
    assert_eq!(pod(one)["terminationGracePeriodSeconds"], 75, "longer than it drains");
    let confined = &container(one)["securityContext"];
    assert_eq!(
        (&confined["readOnlyRootFilesystem"], &confined["capabilities"]["drop"]),
        (&json!(true), &json!(["ALL"]))
    );
    let of_pod = &pod(one)["securityContext"];
    assert_eq!((&of_pod["runAsNonRoot"], &of_pod["seccompProfile"]["type"]), (&json!(true), &json!("RuntimeDefault")));
    for (probe, path) in [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")] {
        assert_eq!(container(one)[probe]["httpGet"]["path"], path);
    }
    let folder = tempfile::tempdir().unwrap();
    let lines = ["insecure = true", "data_dir = \"/data/bindery\"", "drain = \"1m\"", "listen = \"0.0.0.0:8080\""];
    is_read(one, folder.path(), &[&lines[..], &["node = \"filled-in\"", "store = \"embedded\""]].concat()).await;

    let settings = &made["settings"];
    assert_eq!(object(settings, "Ingress")["spec"]["tls"][0]["secretName"], "tls");
    let lines = [
        "task_ttl = \"30d\"",
        "llm_concurrency = 8",
        "[task]\ntables = \"html\"",
        "llm_model = \"m\"",
        "insecure = false",
    ];
    is_read(settings, folder.path(), &[&lines[..], &["ann=(redacted-ann)", "llm_api_key = \"(redacted)\""]].concat())
        .await;

    let several = &made["several"];
    assert_eq!(object(several, "StatefulSet")["spec"]["replicas"], 3);
    assert!(pod(several)["volumes"].as_array().unwrap().iter().any(|volume| volume["emptyDir"]["sizeLimit"] == "20Gi"));
    let monitor = &object(several, "ServiceMonitor")["spec"];
    assert_eq!(monitor["endpoints"][0]["authorization"]["credentials"], json!({ "name": "callers", "key": "ops" }));
    let lines = ["store = \"redis://(redacted)@redis:6379/0\"", "blob = \"s3://bucket/pdf\"", "operator = \"ops,ann\""];
    is_read(several, folder.path(), &[&lines[..], &["s3_endpoint = \"http://minio:9000\""]].concat()).await;

    is_read(&made["workers"], folder.path(), &["role = \"worker\""]).await;

    let scaled = &made["scaled"];
    assert!(object(scaled, "StatefulSet")["spec"].get("replicas").is_none(), "the autoscaler says how many");
    assert_eq!(object(scaled, "HorizontalPodAutoscaler")["spec"]["metrics"].as_array().unwrap().len(), 2);

    for (case, why) in [
        ("open", "keys.existingSecret: name a Secret with keys"),
        ("several with a store each", "store.url: several servers need one Redis"),
        ("several with files each", "blob.url: several servers need storage"),
        ("scaled with a store each", "store.url: several servers need one Redis"),
        ("misspelt", "replica"),
        ("no URL", "redis:6379"),
        ("workers of nobody", "store.url: several servers need one Redis"),
        ("no role", "/role"),
    ] {
        let refused = made[case]["refused"].as_str().unwrap_or_else(|| panic!("{case}: {}", made[case]));
        assert!(refused.contains(why), "{case}: {refused}");
    }
}

#[test]
fn the_chart_is_of_this_version_and_every_value_has_a_schema() {
    let version = format!("appVersion: {}\n", env!("CARGO_PKG_VERSION"));
    assert!(read("Chart.yaml").contains(&version));
    let schema: Value = serde_json::from_str(&read("values.schema.json")).unwrap();
    let described: BTreeSet<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    let values = read("values.yaml");
    let names = values.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    let mut names: BTreeSet<&str> = names.map(|line| line.split(':').next().unwrap()).collect();
    // Helm's own, for charts within charts.
    names.insert("global");
    assert_eq!(names, described);
    let templates: String = std::fs::read_dir(chart().join("templates"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    let unused: Vec<&&str> =
        names.iter().filter(|name| **name != "global" && !templates.contains(&format!(".Values.{name}"))).collect();
    assert!(unused.is_empty(), "{unused:?}");
}
