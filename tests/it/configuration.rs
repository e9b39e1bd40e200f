//! Where settings come from, and what is said of those that mean nothing.

use std::path::Path;
use std::process::Output;

use crate::support::pdf::book;
use crate::support::server::{Server, bindery, fresh_data};
use crate::support::soon;

/// `bindery config` in `folder`, with its home there.
async fn config(folder: &Path, variables: &[(&str, &str)]) -> Output {
    let mut command = bindery(&folder.join("data"));
    command.arg("config").current_dir(folder).env("HOME", folder).env_remove("XDG_CONFIG_HOME");
    command.envs(variables.iter().copied());
    soon("the configuration", command.output()).await.unwrap()
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[tokio::test]
async fn the_first_file_that_is_there_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (here, home, own) = ("bindery.toml", ".config/bindery/bindery.toml", "own/bindery/bindery.toml");
    let own_home = folder.path().join("own");
    let own_home = [("XDG_CONFIG_HOME", own_home.to_str().unwrap())];
    // From the last to the first, each wins over the one before.
    for (file, node, variables) in [(home, "of-home", &[][..]), (own, "own", &own_home), (here, "here", &own_home)] {
        write(&folder.path().join(file), &format!("node = \"{node}\"\n"));
        let said = config(folder.path(), variables).await;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.contains(&format!("node = \"{node}\"")), "{file}: {said}");
    }
}

#[tokio::test]
async fn what_cannot_be_meant_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bindery.toml");
    for (text, expected) in [
        ("workers = 2\n\nworkerz = 3\n", "line 3: unknown field `workerz`"),
        ("workers = \"two\"\n", "line 1: invalid type"),
        ("[task]\ntable = \"html\"\n", "[task]: unknown option \"table\""),
        ("[task]\ntables = \"docx\"\n", "[task]: option tables: must be auto, markdown or html"),
        ("wires = \"docling,tikka\"\n", "wires: unknown interface \"tikka\""),
    ] {
        write(&file, text);
        let said = config(folder.path(), &[]).await;
        let line = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(!said.status.success() && line.contains(expected), "{text}: {line}");
    }
    write(&file, "workers = 2\n");
    let said = config(folder.path(), &[("BINDERY_LLM_MODLE", "m")]).await;
    let line = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.status.success(), "{line}");
    assert_eq!(
        line,
        "bindery: the variable BINDERY_LLM_MODLE is not read by anything: is BINDERY_LLM_MODEL meant?\nbindery: settings from bindery.toml\n"
    );
}

#[tokio::test]
async fn no_key_goes_where_a_folder_says() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("bindery.toml"), "llm_base_url = \"http://localhost:1/v1\"\nllm_model = \"m\"\n");
    for (variables, agrees) in [
        (&[("OPENAI_API_KEY", "secret")][..], false),
        (&[("BINDERY_LLM_API_KEY", "secret")], false),
        (&[("BINDERY_LLM_API_KEY", "secret"), ("BINDERY_LLM_BASE_URL", "http://localhost:2/v1")], true),
        (&[("BINDERY_LLM_API_KEY", "secret"), ("BINDERY_CONFIG", "bindery.toml")], true),
        (&[], true),
    ] {
        let said = config(folder.path(), variables).await;
        let line = String::from_utf8_lossy(&said.stderr).into_owned();
        assert_eq!(said.status.success(), agrees, "{variables:?}: {line}");
        assert!(agrees || line.contains("name the file with --config"), "{line}");
    }
}

#[tokio::test]
async fn tasks_have_what_the_file_says_unless_they_say_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    // The last one is for a model, and these tasks have none.
    write(&file, "[task]\npage_separator = \"=== {page}\"\npages = \"1-2?\"\nprompt = \"read\"\n");
    let server = Server::start_on(fresh_data(), &["--config", file.to_str().unwrap()], &[]).await;
    for (query, expected) in [
        ("", "=== 1\n\nDefaults page 1\n\n=== 2\n\nDefaults page 2\n"),
        ("pages=3&page_separator=", "Defaults page 3\n"),
    ] {
        let id = server.accepted(book("Defaults", 3), query).await;
        server.finished(&id).await;
        assert_eq!(server.markdown(&id).await, expected);
    }
}
