//! Public and hostile PDFs, where they are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The public and hostile files; not part of this project.
pub fn corpus() -> Option<PathBuf> {
    let place = std::env::var_os("BINDERY_CORPUS").map(PathBuf::from);
    let place = place.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"));
    place.join("MANIFEST.csv").is_file().then_some(place)
}

/// What the manifest says of a file.
pub struct Listed {
    /// How many pages it has, where that is known.
    pub pages: Option<u64>,
    pub flags: String,
    pub password: String,
}

/// The files of the manifest by their names.
pub fn manifest(corpus: &Path) -> BTreeMap<String, Listed> {
    let text = std::fs::read_to_string(corpus.join("MANIFEST.csv")).unwrap();
    let rows = text.lines().skip(1).map(|line| {
        // One column may be quoted and hold commas; those that are used here are counted from the ends.
        let columns: Vec<&str> = line.split(',').collect();
        let [.., pages, flags, password] = columns[..] else { panic!("a short row: {line}") };
        let listed = Listed { pages: pages.parse().ok(), flags: flags.to_owned(), password: password.to_owned() };
        (columns[0].to_owned(), listed)
    });
    rows.collect()
}
