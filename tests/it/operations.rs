//! The files for those who run the service: alert rules, dashboard.

use std::path::Path;

use bindery::metrics::{Kind, OF_PROCESS, TABLE};
use serde_json::Value;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/ops").join(name)).unwrap()
}

/// Names of metrics of ours in an expression or a file.
fn names(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| (word.starts_with("bindery_") || word.starts_with("process_")) && word.len() > 8).collect()
}

#[test]
fn every_metric_of_the_rules_and_the_dashboard_is_there() {
    let mut known: Vec<String> = OF_PROCESS.iter().map(|name| (*name).to_owned()).collect();
    for (name, kind, ..) in TABLE {
        match kind {
            Kind::Histogram => known.extend(["bucket", "count", "sum"].map(|part| format!("{name}_{part}"))),
            Kind::Counter | Kind::Gauge => known.push(name.to_owned()),
        }
    }
    for file in ["alerts.yml", "dashboard.json"] {
        let text = read(file);
        let named = names(&text);
        assert!(named.len() > 10, "{file}");
        let made_up: Vec<_> = named.iter().filter(|name| !known.iter().any(|known| known == *name)).collect();
        assert!(made_up.is_empty(), "{file}: {made_up:?}");
    }
}

#[test]
fn the_dashboard_is_one_that_grafana_reads() {
    let dashboard: Value = serde_json::from_str(&read("dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 10 && dashboard["schemaVersion"].as_u64().unwrap() >= 39);
    for (number, panel) in panels.iter().enumerate() {
        let place = &panel["gridPos"];
        let right = place["x"].as_u64().unwrap() + place["w"].as_u64().unwrap();
        assert!(panel["id"] == number + 1 && right <= 24 && panel["title"].is_string(), "{panel}");
        assert!(panel["targets"].as_array().unwrap().iter().all(|target| target["expr"].is_string()), "{panel}");
    }
}

/// Where Prometheus is installed, as by `apt-get install prometheus`.
#[test]
fn prometheus_takes_the_rules() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/ops/alerts.yml");
    match std::process::Command::new("promtool").args(["check", "rules"]).arg(&rules).output() {
        Ok(checked) => assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr)),
        Err(why) => println!("skipped, for want of promtool: {why}"),
    }
}
