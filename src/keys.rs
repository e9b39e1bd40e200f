//! API keys: who a caller is.
//!
//! A key has a name, and the name is the caller's *tenant*: the one whose tasks it sees, whose turn it takes in the
//! queue, and whose quota it uses up. Only hashes of keys are kept, so that none can reach a log or a core dump by the
//! way of this type.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The shortest key: what is shorter can be guessed.
const SHORTEST: usize = 8;
/// The longest name.
const LONGEST_NAME: usize = 64;

/// The keys of a server; without any, everyone is let in.
#[derive(Clone, Default)]
pub struct Keys {
    keys: Vec<Key>,
    operators: Vec<String>,
}

/// One key.
#[derive(Clone)]
pub struct Key {
    name: String,
    hash: [u8; 32],
}

/// Why a key, or a list of them, cannot be used. No message holds a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It is not of the form `name=key`, or its name or key has not what it takes: a sentence.
    #[error("{0}")]
    Form(String),
    /// Two names have the same key.
    #[error("{0} and {1} have the same key")]
    Shared(String, String),
    /// There is no key of this name.
    #[error("there is no key of the name {0}")]
    UnknownName(String),
    /// A line of several cannot be used.
    #[error("line {line}: {why}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// Why.
        why: Box<Self>,
    },
}

impl Keys {
    /// Adds a key. A name may have several, so that one can be replaced while both hold.
    ///
    /// # Errors
    /// [`KeyError::Shared`] when another name has the same key: a call could be of either.
    pub fn add(&mut self, key: Key) -> Result<(), KeyError> {
        if let Some(known) = self.keys.iter().find(|known| known.hash == key.hash && known.name != key.name) {
            return Err(KeyError::Shared(known.name.clone(), key.name));
        }
        self.keys.push(key);
        Ok(())
    }

    /// Reads one `name=key` a line; empty lines and those that begin with `#` are skipped.
    ///
    /// # Errors
    /// [`KeyError::Line`] for the first line that cannot be used, without its key.
    pub fn add_lines(&mut self, text: &str) -> Result<(), KeyError> {
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                let added = line.parse().and_then(|key| self.add(key));
                added.map_err(|why| KeyError::Line { line: at + 1, why: Box::new(why) })?;
            }
        }
        Ok(())
    }

    /// The names, each as often as it has a key.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.name.as_str())
    }

    /// Says whose keys may also see how the server as a whole does, with the names of all others.
    ///
    /// # Errors
    /// [`KeyError::UnknownName`] when there is no key of such a name.
    pub fn set_operators(&mut self, names: Vec<String>) -> Result<(), KeyError> {
        if let Some(unknown) = names.iter().find(|name| self.names().all(|known| known != name.as_str())) {
            return Err(KeyError::UnknownName(unknown.clone()));
        }
        self.operators = names;
        Ok(())
    }

    /// Whether a caller is one of them.
    #[must_use]
    pub fn is_operator(&self, name: &str) -> bool {
        self.operators.iter().any(|operator| operator == name)
    }

    /// Whose they are.
    #[must_use]
    pub fn operators(&self) -> &[String] {
        &self.operators
    }

    /// Whether there is none, so that callers need none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The name of `key`, if it is one of these. Takes the same time whichever it is and however much of it is right:
    /// hashes are compared, whole, with every key.
    #[must_use]
    pub fn name_of(&self, key: &str) -> Option<&str> {
        let given = hash(key);
        let mut name = None;
        for known in &self.keys {
            let difference = known.hash.iter().zip(given).fold(0, |sum, (a, b)| sum | (a ^ b));
            if difference == 0 {
                name = Some(known.name.as_str());
            }
        }
        name
    }
}

impl FromStr for Key {
    type Err = KeyError;

    /// Reads `name=key`.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let form = |why: String| Err(KeyError::Form(why));
        let Some((name, key)) = text.split_once('=') else { return form("write NAME=KEY".into()) };
        let (name, key) = (name.trim(), key.trim());
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(plain) {
            return form(format!("the name before = takes 1 to {LONGEST_NAME} letters, digits, dots, - and _"));
        }
        if key.len() < SHORTEST || !key.chars().all(|c| c.is_ascii_graphic() && c != ',') {
            return form(format!(
                "the key of {name} must be at least {SHORTEST} printable characters without spaces or commas"
            ));
        }
        Ok(Self { name: name.to_owned(), hash: hash(key) })
    }
}

fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_its_name_and_nothing_else_does() {
        let mut keys = Keys::default();
        assert!(keys.is_empty());
        keys.add_lines("# those of today\n\nann=ann-secret-1\n bob = bob=secret=2 \nann=ann-secret-3\n").unwrap();
        assert_eq!(keys.name_of("ann-secret-1"), Some("ann"));
        assert_eq!(keys.name_of("ann-secret-3"), Some("ann"));
        assert_eq!(keys.name_of("bob=secret=2"), Some("bob"));
        for wrong in ["", "ann", "ann-secret-", "ann-secret-11", "ann=ann-secret-1", "bob"] {
            assert_eq!(keys.name_of(wrong), None, "{wrong}");
        }
        assert_eq!(format!("{keys:?}"), r#"["ann", "bob", "ann"]"#);
    }

    #[test]
    fn what_is_wrong_is_said_without_the_key() {
        let mut keys = Keys::default();
        for (text, expected) in [
            ("no-equals-sign", "line 1: write NAME=KEY"),
            ("\na b=geheim-geheim", "line 2: the name before = takes 1 to 64 letters, digits, dots, - and _"),
            ("a=geheim", "line 1: the key of a must be at least 8 printable characters without spaces or commas"),
            ("=geheim-geheim", "line 1: the name before = takes 1 to 64 letters, digits, dots, - and _"),
            ("a=geheim-geheim\nb=geheim-geheim", "line 2: a and b have the same key"),
        ] {
            assert_eq!(keys.add_lines(text).unwrap_err().to_string(), expected);
        }
    }
}
