//! Where bytes live: a directory, one that machines share, or object storage.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use super::{BlobChoice, Config, ConfigError};
use crate::blob::{DirectoryStore, LocalBlob, ObjectOptions, ObjectStorage};

/// What `--blob` and the settings of S3 say. `s3` is endpoint, region and path style.
pub(super) fn choose(
    given: Option<&str>,
    s3: (Option<String>, Option<String>, Option<bool>),
    data_dir: &Path,
) -> Result<BlobChoice, ConfigError> {
    let (endpoint, region, path_style) = s3;
    let Some(place) = given.and_then(|given| given.strip_prefix("s3://")) else {
        if let Some(option) =
            [endpoint.map(|_| "s3-endpoint"), region.map(|_| "s3-region"), path_style.map(|_| "s3-path-style")]
                .into_iter()
                .flatten()
                .next()
        {
            return Err(ConfigError::new(option, "only --blob s3://BUCKET/PREFIX has one"));
        }
        return other(given, data_dir);
    };
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    let prefix = prefix.trim_end_matches('/');
    // Amazon S3 user guide, "General purpose bucket naming rules"; others allow capitals and underscores.
    let is_name = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(is_name) {
        return Err(ConfigError::new("blob", "write s3://BUCKET/PREFIX with the name of a bucket, 3 to 63 characters"));
    }
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    if !prefix.is_empty() && !prefix.split('/').all(plain) {
        return Err(ConfigError::new("blob", "the prefix of s3://BUCKET/PREFIX must be a plain path"));
    }
    if let Some(endpoint) = endpoint.as_ref().filter(|url| !url.starts_with("http://") && !url.starts_with("https://"))
    {
        let reason = format!("{endpoint:?} is no URL: write https://HOST or http://HOST:PORT");
        return Err(ConfigError::new("s3-endpoint", reason));
    }
    let endpoint = endpoint.map(|url| url.trim_end_matches('/').to_owned());
    Ok(BlobChoice::Objects(ObjectOptions {
        bucket: bucket.into(),
        prefix: prefix.into(),
        endpoint,
        region,
        path_style,
    }))
}

fn other(given: Option<&str>, data_dir: &Path) -> Result<BlobChoice, ConfigError> {
    match given {
        None => Ok(BlobChoice::Directory(data_dir.to_owned())),
        Some(url) if url.starts_with("file://") => match url.strip_prefix("file://").map(PathBuf::from) {
            Some(dir) if dir.is_absolute() => Ok(BlobChoice::SharedDirectory(dir)),
            _ => Err(ConfigError::new("blob", "write file:///DIR with a whole path")),
        },
        Some(url) if url.contains("://") => {
            Err(ConfigError::new("blob", "use a directory, s3://BUCKET/PREFIX or file:///DIR"))
        }
        Some(dir) => Ok(BlobChoice::Directory(dir.into())),
    }
}

impl fmt::Display for BlobChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(dir) => write!(f, "{}", dir.display()),
            Self::SharedDirectory(dir) => write!(f, "file://{}", dir.display()),
            Self::Objects(options) => f.write_str(&options.url()),
        }
    }
}

impl Config {
    /// Opens what `--blob` names, and looks whether it is there.
    ///
    /// # Errors
    /// What cannot be used and why, in one line.
    pub fn open_blob(&self) -> io::Result<LocalBlob> {
        let opened = match &self.blob {
            BlobChoice::Directory(dir) => {
                let said = |error: io::Error| {
                    io::Error::new(error.kind(), format!("cannot use the blob directory {}: {error}", dir.display()))
                };
                return LocalBlob::open(dir).map_err(said);
            }
            BlobChoice::SharedDirectory(dir) => {
                DirectoryStore::open(dir).and_then(|store| LocalBlob::open_shared(&self.data_dir, store))
            }
            BlobChoice::Objects(options) => {
                ObjectStorage::new(options.clone()).and_then(|store| LocalBlob::open_shared(&self.data_dir, store))
            }
        };
        opened.map_err(|error| io::Error::new(error.kind(), format!("cannot use --blob {}: {error}", self.blob)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_bytes_live() {
        let none = || (None, None, None);
        let choose = |given, s3| choose(given, s3, Path::new("/data"));
        let objects = |bucket: &str, prefix: &str| {
            let (bucket, prefix) = (bucket.into(), prefix.into());
            BlobChoice::Objects(ObjectOptions { bucket, prefix, ..ObjectOptions::default() })
        };
        for (given, expected) in [
            (None, BlobChoice::Directory("/data".into())),
            (Some("dir/x"), BlobChoice::Directory("dir/x".into())),
            (Some("file:///mnt/x"), BlobChoice::SharedDirectory("/mnt/x".into())),
            (Some("s3://bucket"), objects("bucket", "")),
            (Some("s3://bucket/"), objects("bucket", "")),
            (Some("s3://bucket/a/b/"), objects("bucket", "a/b")),
        ] {
            assert_eq!(choose(given, none()).unwrap(), expected, "{given:?}");
        }
        let with = (Some("http://127.0.0.1:9/".to_owned()), Some("eu".to_owned()), Some(false));
        let BlobChoice::Objects(options) = choose(Some("s3://bucket/p"), with).unwrap() else { panic!() };
        assert_eq!(options.endpoint.as_deref(), Some("http://127.0.0.1:9"));
        assert_eq!((options.region.as_deref(), options.path_style), (Some("eu"), Some(false)));
        for given in
            ["s3://", "s3://ab", "s3://a b c/x", "s3://bucket/a/../b", "s3://bucket//x", "file://x", "gs://bucket"]
        {
            let error = choose(Some(given), none()).unwrap_err().to_string();
            assert!(error.starts_with("blob: "), "{given}: {error}");
        }
        let error = choose(Some("/dir"), (Some("http://h".into()), None, None)).unwrap_err().to_string();
        assert!(error.starts_with("s3-endpoint: only"), "{error}");
        let error = choose(Some("s3://bucket"), (Some("h:1".into()), None, None)).unwrap_err().to_string();
        assert!(error.starts_with("s3-endpoint: ") && error.contains("no URL"), "{error}");
    }
}
