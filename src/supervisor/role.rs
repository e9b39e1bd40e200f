//! What a server does of the work of all that share its store.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::task::ParseError;

/// What a server does of the work of all that share its store. Called a role, as in Kafka and Elasticsearch, with the names
/// that such servers have elsewhere: what takes requests is the API, what does the work a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Role {
    /// Accepts tasks and runs them.
    #[default]
    All,
    /// Accepts tasks and answers for all of them, and leaves their pages to others.
    Api,
    /// Runs tasks that others accepted, and accepts none.
    Worker,
}

impl Role {
    /// Its name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Api => "api",
            Self::Worker => "worker",
        }
    }

    /// Whether it takes tasks from callers.
    #[must_use]
    pub const fn accepts_tasks(self) -> bool {
        !matches!(self, Self::Worker)
    }

    /// Whether it runs tasks, and reads shards of those that others run.
    #[must_use]
    pub const fn runs_tasks(self) -> bool {
        !matches!(self, Self::Api)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let all = [Self::All, Self::Api, Self::Worker];
        all.into_iter().find(|role| role.as_str() == text).ok_or_else(|| ParseError::new("must be all, api or worker"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_the_work_has_a_role_that_does_it() {
        for (name, accepts, runs) in [("all", true, true), ("api", true, false), ("worker", false, true)] {
            let role: Role = name.parse().unwrap();
            assert_eq!((role.accepts_tasks(), role.runs_tasks(), role.to_string()), (accepts, runs, name.to_owned()));
            // What servers say of themselves is read by others.
            assert_eq!(serde_json::to_value(role).unwrap(), name);
        }
        assert!("both".parse::<Role>().is_err() && Role::default() == Role::All);
    }
}
