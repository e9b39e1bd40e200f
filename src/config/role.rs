//! What a server does of the work of all that share its store.

use super::{Config, ConfigError, StoreChoice};
use crate::supervisor::Role;
use crate::task::ParseError;

pub(super) fn role(text: Option<&str>) -> Result<Role, ConfigError> {
    let Some(text) = text else { return Ok(Role::default()) };
    text.parse().map_err(|error: ParseError| ConfigError::new("role", error.to_string()))
}

impl Config {
    /// Refuses to leave work to other servers where the store can have none.
    ///
    /// # Errors
    /// [`ConfigError`] that says what is missing.
    pub fn refuse_lone_role(&self) -> Result<(), ConfigError> {
        let role = self.supervisor.role;
        let left = match role {
            _ if matches!(self.store, StoreChoice::Redis(_)) => return Ok(()),
            Role::All => return Ok(()),
            Role::Api => "runs no tasks",
            Role::Worker => "accepts none",
        };
        let reason = format!(
            "a server with the role {role} {left}, and no other can use its store: give --store redis://…, or leave --role out"
        );
        Err(ConfigError::new("role", reason))
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Settings;

    #[test]
    fn a_role_that_leaves_work_to_others_needs_a_store_that_has_others() {
        for (role, store, is_refused) in [
            (None, None, false),
            (Some("all"), Some("memory"), false),
            (Some("api"), None, true),
            (Some("worker"), Some("memory"), true),
            (Some("api"), Some("redis://h/0"), false),
            (Some("worker"), Some("redis+sentinel://h:1/m/0"), false),
        ] {
            let settings = Settings { role: role.map(Into::into), store: store.map(Into::into), ..Settings::default() };
            let config = settings.resolve(|name| (name == "HOME").then(|| "/home/x".to_owned())).unwrap();
            assert_eq!(config.refuse_lone_role().is_err(), is_refused, "{role:?} {store:?}");
        }
    }
}
