//! What people read about Bindery: short where it must be, without broken links, and with every option and setting.

use std::path::{Path, PathBuf};

use bindery::task::TaskOptions;

use crate::support::server::run;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<PathBuf> {
    let docs = std::fs::read_dir(root().join(".github/docs")).unwrap().map(|entry| entry.unwrap().path());
    let others = ["README.md", ".github/CONTRIBUTING.md", ".github/SECURITY.md", ".github/CHANGELOG.md"];
    docs.chain(others.iter().map(|page| root().join(page))).collect()
}

fn read(page: &str) -> String {
    std::fs::read_to_string(root().join(page)).unwrap()
}

/// The targets of the links of a page, without what is code.
fn links(text: &str) -> Vec<String> {
    let prose: String = text.split("```").step_by(2).flat_map(|part| part.split('`').step_by(2)).collect();
    prose.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned()).collect()
}

/// The anchors of a page, as GitHub makes them of its headings.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    headings.map(|heading| heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

#[test]
fn no_link_is_broken() {
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for link in links(&text).iter().filter(|link| !link.starts_with("https://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link}", page.display());
            if !anchor.is_empty() {
                let there = anchors(&std::fs::read_to_string(&target).unwrap());
                assert!(there.iter().any(|one| one == anchor), "{}: {link}: only {there:?}", page.display());
            }
        }
    }
}

#[test]
fn the_readme_is_short_and_leads_to_every_page() {
    let readme = read("README.md");
    assert!(readme.lines().count() <= 110, "move details to .github/docs");
    for entry in std::fs::read_dir(root().join(".github/docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(readme.contains(&format!("(.github/docs/{name})")), "{name}");
    }
}

#[test]
fn every_option_of_a_task_is_described() {
    let text = read(".github/docs/http.md");
    let missing: Vec<_> = TaskOptions::NAMES.into_iter().filter(|name| !text.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn every_setting_is_described() {
    let folder = tempfile::tempdir().unwrap();
    let example = String::from_utf8(run(folder.path(), ["config", "--example"]).await.stdout).unwrap();
    let text = read(".github/docs/config.md");
    let settings = example.split("[task]").next().unwrap().lines().filter_map(|line| {
        let (name, _) = line.trim_start_matches(['#', ' ']).split_once(" = ")?;
        name.chars().all(|c| c.is_ascii_lowercase() || c == '_').then(|| name.to_owned())
    });
    let settings: Vec<String> = settings.collect();
    assert!(settings.len() > 30, "{example}");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    let row = |name: &str| rows.iter().find(|row| row.contains(&format!("`{name}`")));
    let missing: Vec<_> = settings.iter().filter(|name| row(name).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?}");
    // The example has each setting's help in the line before it.
    for (help, setting) in example.lines().zip(example.lines().skip(1)) {
        let told = help.split_once("[default: ").and_then(|(_, rest)| rest.split([']', ';']).next());
        let (Some(told), Some((name, _))) = (told, setting.trim_start_matches(['#', ' ']).split_once(" = ")) else {
            continue;
        };
        let row = row(name).unwrap().replace('`', "");
        let said = row.contains(&told.replace('`', "")) || (told == "0" && row.contains("no limit"));
        assert!(said || told.contains("there is an endpoint"), "{name}: the default {told} is not in: {row}");
    }
}
