//! What about a Redis server itself would lose tasks.

use std::collections::HashMap;

use super::RedisStore;
use crate::store::StoreError;

/// The oldest version whose scripts can carry flags and whose sorted sets take `ZRANGE … BYSCORE`.
const OLDEST: (u32, u32) = (7, 0);

/// Refuses a server on which the scripts would fail one by one.
///
/// # Errors
/// [`StoreError::Unavailable`] naming both versions.
pub(super) async fn refuse_too_old(store: &RedisStore) -> Result<(), StoreError> {
    // A server that keeps its version to itself gets the benefit of the doubt.
    let Some(version) = info(store, "server").await.get("redis_version").cloned() else { return Ok(()) };
    let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found >= OLDEST {
        return Ok(());
    }
    let (major, minor) = OLDEST;
    let why = format!("{}: Redis {version} is too old, {major}.{minor} or newer is needed", store.address);
    Err(StoreError::Unavailable(why))
}

/// One sentence for each setting that puts tasks at risk. What the server does not tell is named as unknown.
pub(super) async fn warnings(store: &RedisStore) -> Result<Vec<String>, StoreError> {
    let replicas = info(store, "replication").await.get("connected_slaves").and_then(|n| n.parse().ok()).unwrap_or(0);
    let settings = [
        ("maxmemory-policy", setting(store, "maxmemory-policy").await),
        ("appendonly", setting(store, "appendonly").await),
        ("min-replicas-to-write", setting(store, "min-replicas-to-write").await),
    ];
    // An unreachable server is not one with unknown settings.
    crate::store::TaskStore::ping(store).await?;
    Ok(settings.iter().filter_map(|(name, value)| check_setting(name, value.as_deref(), replicas)).collect())
}

/// The rule for one setting. Pure.
fn check_setting(name: &str, value: Option<&str>, replicas: u32) -> Option<String> {
    let advice = match (name, value) {
        ("maxmemory-policy", Some("noeviction")) | ("appendonly", Some("yes")) => return None,
        ("min-replicas-to-write", Some(least)) if replicas == 0 || least != "0" => return None,
        ("min-replicas-to-write", None) if replicas == 0 => return None,
        ("maxmemory-policy", Some(policy)) => {
            format!("maxmemory-policy is {policy}, so Redis may evict tasks when memory is short: set noeviction")
        }
        ("appendonly", Some(_)) => {
            "appendonly is off, so a crash of Redis loses all tasks since its last snapshot: set appendonly yes".into()
        }
        ("min-replicas-to-write", Some(_)) => format!(
            "{replicas} replicas are attached and min-replicas-to-write is 0, so a failover can lose acknowledged tasks: \
             set min-replicas-to-write 1"
        ),
        (name, _) => format!("{name} cannot be read (CONFIG is not allowed here): make sure of it yourself"),
    };
    Some(advice)
}

async fn setting(store: &RedisStore, name: &str) -> Option<String> {
    let mut command = redis::cmd("CONFIG");
    command.arg("GET").arg(name);
    let found: Result<HashMap<String, String>, _> = command.query_async(&mut store.connection()).await;
    found.ok()?.remove(name)
}

/// The fields of one section of `INFO`; none when the server does not tell.
async fn info(store: &RedisStore, section: &str) -> HashMap<String, String> {
    let text: Result<String, _> = redis::cmd("INFO").arg(section).query_async(&mut store.connection()).await;
    let text = text.unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.into(), value.trim().into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_is_judged() {
        for (name, value, replicas, warned) in [
            ("maxmemory-policy", Some("noeviction"), 0, None),
            ("maxmemory-policy", Some("volatile-lru"), 0, Some("set noeviction")),
            ("maxmemory-policy", None, 0, Some("cannot be read")),
            ("appendonly", Some("yes"), 0, None),
            ("appendonly", Some("no"), 0, Some("set appendonly yes")),
            ("min-replicas-to-write", Some("0"), 0, None),
            ("min-replicas-to-write", Some("0"), 2, Some("2 replicas")),
            ("min-replicas-to-write", Some("1"), 2, None),
            ("min-replicas-to-write", None, 0, None),
            ("min-replicas-to-write", None, 1, Some("cannot be read")),
        ] {
            let said = check_setting(name, value, replicas);
            match warned {
                None => assert_eq!(said, None, "{name} {value:?}"),
                Some(words) => assert!(said.as_ref().is_some_and(|s| s.contains(words)), "{name} {value:?}: {said:?}"),
            }
        }
    }
}
