"""Renders the chart with several values, as Helm does, and holds what comes out to the schemas of Kubernetes.

helm.py CHART: prints {case: {"objects": […]} or {"refused": message}} as JSON.
"""
import json
import sys

import helm_python as helm
import kubernetes_validate
import yaml

SHARED = {
    "keys": {"existingSecret": "callers", "operators": ["ops", "ann"]},
    "store": {"url": "redis://redis:6379/0", "passwordSecret": {"name": "redis"}},
    "blob": {"url": "s3://bucket/pdf", "credentialsSecret": "s3", "s3Endpoint": "http://minio:9000", "s3Region": "eu"},
}
CASES = {
    "one": {"insecure": True},
    "settings": {
        "keys": {"existingSecret": "callers"},
        "config": "task_ttl = \"30d\"\nllm_concurrency = 8\n\n[task]\ntables = \"html\"\n",
        "llm": {"baseUrl": "http://ollama:11434/v1", "model": "m", "existingSecret": "llm"},
        "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls"},
    },
    "several": {
        **SHARED,
        "replicas": 3,
        "persistence": {"enabled": False},
        "serviceMonitor": {"enabled": True, "keySecret": {"name": "callers", "key": "ops"}, "labels": {"team": "a"}},
        "extraEnv": [{"name": "RUST_LOG", "value": "info"}],
        "podLabels": {"a": "b"}, "podAnnotations": {"c": "d"}, "nodeSelector": {"disk": "fast"},
        "tolerations": [{"operator": "Exists"}], "imagePullSecrets": [{"name": "registry"}],
    },
    "scaled": {
        **SHARED,
        "autoscaling": {"enabled": True, "metrics": [{"type": "Pods", "pods": {
            "metric": {"name": "bindery_queued"}, "target": {"type": "AverageValue", "averageValue": "50"}}}]},
    },
    "workers": {**SHARED, "role": "worker"},
    # What must not be installed.
    "workers of nobody": {"insecure": True, "role": "worker"},
    "no role": {"insecure": True, "role": "accept"},
    "open": {},
    "several with a store each": {"insecure": True, "replicas": 2},
    "several with files each": {"insecure": True, "replicas": 2, "store": SHARED["store"]},
    "scaled with a store each": {"insecure": True, "autoscaling": {"enabled": True}},
    "misspelt": {"insecure": True, "replica": 2},
    "no URL": {"insecure": True, "store": {"url": "redis:6379"}},
}
# Kinds that are not of Kubernetes itself, and are looked at by the test alone.
OTHERS = ["ServiceMonitor"]


def rendered(chart, values):
    objects = []
    for path, text in sorted(chart.render(values, name="demo", namespace="prod").items()):
        for found in yaml.safe_load_all(text) if path.endswith(".yaml") else []:
            if found:
                if found["kind"] not in OTHERS:
                    kubernetes_validate.validate(found, "1.37", strict=True)
                objects.append(found)
    return objects


def main():
    found = {"lint": helm.lint(sys.argv[1])}
    with helm.Chart.load(sys.argv[1]) as chart:
        for name, values in CASES.items():
            try:
                chart.validate_schema(values)
                found[name] = {"objects": rendered(chart, values)}
            except helm.HelmError as why:
                found[name] = {"refused": str(why)}
    print(json.dumps(found))


main()
