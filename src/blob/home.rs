//! Where blobs belong when there is storage that several servers share. Pure.

/// Where the truth about a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// In the directory of this server.
    Directory,
    /// In the shared storage; the directory may have a copy.
    Cached,
    /// In the shared storage alone.
    Shared,
}

/// Where a key belongs when there is shared storage. Pages of the ledger are in the directory, and the paid ones in
/// both.
pub(super) fn home(key: &str) -> Home {
    let mut parts = key.split('/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("purges"), ..) => Home::Shared,
        (Some("tasks"), Some(_), Some("pages.hashes")) => Home::Directory,
        (Some("tasks"), Some(_), Some(name)) if name.starts_with("record-") => Home::Shared,
        (Some("tasks"), Some(_), Some(_)) => Home::Cached,
        (Some("tasks"), ..) => Home::Shared,
        _ => Home::Directory,
    }
}

/// The key of the source that lies beside `key`: a task is there as long as its source is.
pub(super) fn source_beside(key: &str) -> String {
    let folder = key.rsplit_once('/').map_or(key, |(folder, _)| folder);
    format!("{folder}/source.pdf")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::MARKER;

    #[test]
    fn where_keys_belong() {
        for (key, expected) in [
            ("tasks", Home::Shared),
            ("tasks/1", Home::Shared),
            ("tasks/1/source.pdf", Home::Cached),
            ("tasks/1/result-1.md", Home::Cached),
            ("tasks/1/image-a.png", Home::Cached),
            ("tasks/1/record-1.json", Home::Shared),
            ("tasks/1/record-1.prepared", Home::Shared),
            ("tasks/1/pages.hashes", Home::Directory),
            ("purges/1.json", Home::Shared),
            ("ledger/aa/b.json", Home::Directory),
            ("nodes/a.lock", Home::Directory),
            (MARKER, Home::Directory),
        ] {
            assert_eq!(home(key), expected, "{key}");
        }
    }
}
