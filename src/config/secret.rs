//! Secrets in files of their own, where no other user of the machine sees them: `ps` shows command lines.

use std::io;
use std::path::{Path, PathBuf};

use super::{Config, ConfigError};
use crate::keys::Keys;

/// What a file with one secret holds.
#[non_exhaustive]
pub struct SecretFile {
    /// The secret, without white space around it.
    pub secret: String,
    /// That other users can read it, when they can.
    pub warning: Option<String>,
}

impl SecretFile {
    /// Reads the file.
    ///
    /// # Errors
    /// One line that names the file, when it cannot be read or holds nothing.
    pub fn read(path: &Path) -> io::Result<Self> {
        let said = |kind, why: &str| io::Error::new(kind, format!("{}: {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| said(error.kind(), &error.to_string()))?;
        let secret = text.trim().to_owned();
        if secret.is_empty() {
            return Err(said(io::ErrorKind::InvalidData, "the file is empty"));
        }
        Ok(Self { secret, warning: open_to_others(path) })
    }
}

/// Says that every user of the machine can read a file with secrets, if so.
pub(super) fn open_to_others(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let open = path.metadata().is_ok_and(|file| file.permissions().mode() & 0o004 != 0);
    open.then(|| format!("{} holds a secret and every user can read it: chmod o-r", path.display()))
}

/// One secret, given as it is or as a file.
///
/// # Errors
/// [`ConfigError`] when it is given both ways, or the file cannot be used.
pub(super) fn one_secret(
    (option, value): (&'static str, Option<String>),
    (file_option, file): (&'static str, Option<&Path>),
    warnings: &mut Vec<String>,
) -> Result<Option<String>, ConfigError> {
    let value = value.filter(|value| !value.is_empty());
    let Some(file) = file else { return Ok(value) };
    if value.is_some() {
        return Err(ConfigError::new(file_option, format!("{option} is given, too: leave one of them out")));
    }
    let SecretFile { secret, warning } =
        SecretFile::read(file).map_err(|error| ConfigError::new(file_option, error.to_string()))?;
    warnings.extend(warning);
    Ok(Some(secret))
}

/// Where secrets came from that may change while a server runs.
#[derive(Clone, Default)]
pub(super) struct SecretSources {
    /// Keys of callers that stand in no file.
    pub(super) keys: Keys,
    pub(super) api_key_file: Option<PathBuf>,
    pub(super) operators: Vec<String>,
    pub(super) llm_api_key_file: Option<PathBuf>,
}

impl SecretSources {
    pub(super) fn keys(&self) -> Result<Keys, ConfigError> {
        let mut keys = self.keys.clone();
        if let Some(file) = &self.api_key_file {
            let bad = |reason: String| ConfigError::new("api-key-file", format!("{}: {reason}", file.display()));
            let before = keys.names().count();
            let text = std::fs::read_to_string(file).map_err(|error| bad(error.to_string()))?;
            keys.add_lines(&text).map_err(|error| bad(error.to_string()))?;
            if keys.names().count() == before {
                // An empty file must not open the door.
                return Err(bad("there is no key in it".into()));
            }
        }
        keys.set_operators(self.operators.clone()).map_err(|error| ConfigError::new("operator", error.to_string()))?;
        Ok(keys)
    }
}

impl Config {
    /// Reads the keys of callers again: those that were given, and what stands in the file by now.
    ///
    /// # Errors
    /// [`ConfigError`] when the file cannot be used.
    pub fn read_keys(&self) -> Result<Keys, ConfigError> {
        self.sources.keys()
    }

    /// Reads the endpoint's key again; `None` when it does not come from a file.
    ///
    /// # Errors
    /// [`ConfigError`] when the file cannot be used.
    pub fn read_llm_api_key(&self) -> Result<Option<String>, ConfigError> {
        let file = self.sources.llm_api_key_file.as_deref().map(SecretFile::read).transpose();
        let file = file.map_err(|error| ConfigError::new("llm-api-key-file", error.to_string()))?;
        Ok(file.map(|file| file.secret))
    }
}

/// The keys that stand on the command line or in a variable.
pub(super) fn given_keys(given: &[String]) -> Result<Keys, ConfigError> {
    let mut keys = Keys::default();
    for key in given {
        let added = key.parse().and_then(|key| keys.add(key));
        added.map_err(|error| ConfigError::new("api-key", error.to_string()))?;
    }
    Ok(keys)
}

/// A URL with this password for its user.
///
/// # Errors
/// A reason, when it has one already.
pub(super) fn with_password(url: &str, password: &str) -> Result<String, String> {
    let Some((scheme, rest)) = url.split_once("://") else { return Err("the store is no URL".into()) };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (user, host) = rest[..end].rsplit_once('@').unwrap_or(("", &rest[..end]));
    let (user, known) = user.split_once(':').unwrap_or((user, ""));
    if !known.is_empty() {
        return Err("the URL of the store has a password, too: leave one of them out".into());
    }
    // RFC 3986, 2.3: all but the unreserved characters.
    let encoded: String = password.bytes().fold(String::new(), |mut text, byte| {
        use std::fmt::Write as _;
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let _ = if plain { write!(text, "{}", char::from(byte)) } else { write!(text, "%{byte:02X}") };
        text
    });
    Ok(format!("{scheme}://{user}:{encoded}@{host}{}", &rest[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_goes_into_the_url() {
        for (url, expected) in [
            ("redis://h:1/2", "redis://:a%40b%2F%C3%BC@h:1/2"),
            ("redis://ann@h", "redis://ann:a%40b%2F%C3%BC@h"),
            ("redis://ann:@h/0?protocol=resp3", "redis://ann:a%40b%2F%C3%BC@h/0?protocol=resp3"),
        ] {
            assert_eq!(with_password(url, "a@b/\u{fc}").unwrap(), expected);
        }
        assert!(with_password("redis://:x@h", "y").is_err());
    }
}
