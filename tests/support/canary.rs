//! Looks for a word wherever a server keeps something.

use std::path::Path;

use redis::AsyncCommands;

use super::redis_server::RedisServer;

/// The files below `dir`, whatever they are, whose bytes hold `word`; relative, in order.
pub fn files_with(dir: &Path, word: &str) -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if memchr::memmem::find(&std::fs::read(&path).unwrap_or_default(), word.as_bytes()).is_some() {
                found.push(path.strip_prefix(dir).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

/// The keys of a Redis server whose names or values hold `word`.
pub async fn keys_with(redis: &RedisServer, word: &str) -> Vec<String> {
    let mut connection = redis.connection().await;
    let keys: Vec<String> = connection.keys("*").await.unwrap();
    let mut found = Vec::new();
    for key in keys {
        let kind: String = redis::cmd("TYPE").arg(&key).query_async(&mut connection).await.unwrap();
        let values: Vec<String> = match kind.as_str() {
            "string" => vec![connection.get(&key).await.unwrap_or_default()],
            "hash" => redis::cmd("HGETALL").arg(&key).query_async(&mut connection).await.unwrap(),
            "set" => connection.smembers(&key).await.unwrap(),
            "zset" => connection.zrange(&key, 0, -1).await.unwrap(),
            // It has expired in between.
            "none" => Vec::new(),
            other => panic!("{key} is a {other}, which nothing here looks into"),
        };
        if values.iter().chain([&key]).any(|text| text.contains(word)) {
            found.push(key);
        }
    }
    found
}
