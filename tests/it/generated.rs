//! Clients that others' programs make of the description of the API: what they say and take is what the server does.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::support::pdf::book;
use crate::support::server::Server;
use crate::support::soon;
use crate::support::venv::Venv;

static PYTHON: Venv = Venv::new("generated", &["openapi-python-client==0.29.1"]);
/// Of npm.
const TYPESCRIPT: [&str; 4] =
    ["openapi-typescript@7.13.0", "openapi-fetch@0.17.0", "typescript@5.9.3", "@types/node@20"];
const KEY: &str = "a-key-of-ann";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// What a command says that ends well.
async fn done(command: &mut Command) -> String {
    let output = soon("a command", command.output()).await.unwrap();
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

async fn server(folder: &Path) -> (Server, PathBuf) {
    let pdf = folder.join("book.pdf");
    std::fs::write(&pdf, book("Generated", 3)).unwrap();
    (Server::start(&["--api-key", &format!("ann={KEY}")]).await, pdf)
}

#[tokio::test]
async fn a_client_in_python_is_made_of_the_description() {
    let Some(make) = PYTHON.program("openapi-python-client").await else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(&make);
    command.args(["generate", "--meta", "none", "--config"]).arg(root().join(".github/clients/python.yaml"));
    command.arg("--path").arg(root().join("tests/data/openapi.json"));
    let said = done(command.arg("--output-path").arg(folder.path().join("bindery_client"))).await;
    assert!(!said.contains("WARNING"), "parts are left out: {said}");
    let (server, pdf) = server(folder.path()).await;
    let mut command = Command::new(make.with_file_name("python"));
    command.arg(root().join("tests/it/generated.py")).args([&server.url, KEY]).arg(&pdf);
    let said = done(command.env("PYTHONPATH", folder.path())).await;
    assert!(said.contains("all is as described"), "{said}");
}

#[tokio::test]
async fn types_of_typescript_are_made_of_the_description() {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("generated-typescript");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join("package.json"), r#"{ "type": "module" }"#).unwrap();
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--silent", "--no-save"]).args(TYPESCRIPT).current_dir(&place);
    if !npm.status().await.is_ok_and(|status| status.success()) {
        eprintln!("skipped: {} cannot be installed from npm", TYPESCRIPT.join(", "));
        return;
    }
    let program = |name: &str| Command::new(place.join("node_modules/.bin").join(name));
    let mut command = program("openapi-typescript");
    done(command.arg(root().join("tests/data/openapi.json")).arg("-o").arg(place.join("bindery.ts"))).await;
    std::fs::copy(root().join("tests/it/generated.ts"), place.join("generated.ts")).unwrap();
    let mut command = program("tsc");
    command.args(["--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext", "generated.ts"]);
    done(command.current_dir(&place)).await;
    let (server, pdf) = server(&place).await;
    let said = done(Command::new("node").arg(place.join("generated.js")).args([&server.url, KEY]).arg(&pdf)).await;
    assert!(said.contains("all is as described"), "{said}");
}
