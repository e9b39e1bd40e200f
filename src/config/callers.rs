//! Who may use a server, and by which interfaces.

use super::{Config, ConfigError};
use crate::http::{Origins, Wire};
use crate::task::{ParseError, names};

pub(super) fn wires(text: Option<&str>) -> Result<Vec<Wire>, ConfigError> {
    let Some(text) = text else { return Ok(Wire::ALL.to_vec()) };
    let unknown = |error: ParseError| ConfigError::new("wires", error.to_string());
    names(text).iter().map(|name| name.parse().map_err(unknown)).collect()
}

pub(super) fn origins(given: Option<&[String]>) -> Result<Origins, ConfigError> {
    Origins::parse(given.unwrap_or_default()).map_err(|error| ConfigError::new("cors-origin", error.to_string()))
}

impl Config {
    /// Refuses to serve beyond loopback, or to web pages of every origin, where there are no keys, unless that is meant.
    ///
    /// # Errors
    /// [`ConfigError`] that names the word it takes.
    pub fn refuse_open_door(&self) -> Result<(), ConfigError> {
        if self.insecure || !self.keys.is_empty() {
            return Ok(());
        }
        if self.cors.is_any() {
            let reason = "* lets every web page use a server that has no keys: name origins, give --api-key NAME=KEY, or \
                          --insecure if that is meant";
            return Err(ConfigError::new("cors-origin", reason));
        }
        if self.listen.ip().is_loopback() {
            return Ok(());
        }
        let reason = format!(
            "{} is not loopback and there are no keys: give --api-key NAME=KEY, or --insecure if that is meant",
            self.listen
        );
        Err(ConfigError::new("listen", reason))
    }
}
