//! Options that name a file with a secret.

use std::io;
use std::path::Path;

use bindery::config::SecretFile;

use super::say;

/// Reads the secret in the file that an option names; clap refuses the option with its error.
///
/// # Errors
/// When the file cannot be read, or is empty.
pub fn read(file: &str) -> io::Result<String> {
    let SecretFile { secret, warning, .. } = SecretFile::read(Path::new(file))?;
    if let Some(warning) = warning {
        say(format_args!("bindery: {warning}"));
    }
    Ok(secret)
}
