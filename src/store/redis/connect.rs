//! Where a Redis server is, and the way there: plain, over TLS, or by asking Sentinels which server is the master.
//!
//! | URL | what it means |
//! |---|---|
//! | `redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]` | this server |
//! | `rediss://…` | the same over TLS |
//! | `redis+sentinel://[[USER]:PASSWORD@]HOST:PORT,HOST:PORT/MASTER[/DB]` | the master of that name, as the first Sentinel that answers knows it; user and password are the master's |
//! | `rediss+sentinel://…` | the same, Sentinels and master over TLS |

use std::path::Path;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisError, RedisResult,
    TlsCertificates,
};

use super::RedisOptions;
use crate::store::StoreError;

/// What a URL must look like.
const FORMS: &str =
    "write redis://HOST:PORT/DATABASE, rediss://… for TLS, or redis+sentinel://HOST:PORT,HOST:PORT/MASTER/DATABASE";

/// A Redis server, or the Sentinels that know it.
#[derive(Clone)]
pub(super) struct Target {
    server: Server,
    /// Certificates (PEM) that the server's may be signed by, instead of the usual ones.
    ca: Option<Vec<u8>>,
    /// For messages, without user and password.
    pub(super) address: String,
}

#[derive(Clone)]
enum Server {
    One(String),
    /// Each `HOST:PORT`; the master's name; what stands before and behind the address in the URL of the master.
    Sentinels {
        sentinels: Vec<String>,
        master: String,
        before: String,
        database: String,
        scheme: &'static str,
    },
}

impl Target {
    /// Reads a URL, and the file of certificates.
    ///
    /// # Errors
    /// A sentence that says what is wrong; no password is in it.
    pub(super) fn new(url: &str, ca_file: Option<&Path>) -> Result<Self, String> {
        let said = |path: &Path, error| format!("the certificates in {} cannot be read: {error}", path.display());
        let ca = ca_file.map(|path| std::fs::read(path).map_err(|error| said(path, error))).transpose()?;
        let unreadable = || format!("the Redis URL cannot be read: {FORMS}");
        let sentinels = [("redis+sentinel://", "redis"), ("rediss+sentinel://", "rediss")];
        let of_sentinels = sentinels.iter().find_map(|(scheme, own)| Some((*own, url.strip_prefix(scheme)?)));
        let (server, address) = if let Some((scheme, rest)) = of_sentinels {
            sentinels_of(scheme, rest).ok_or_else(unreadable)?
        } else {
            let info = url.into_connection_info().map_err(|_| unreadable())?;
            let database = info.redis_settings().db();
            let address = match info.addr() {
                ConnectionAddr::Tcp(host, port) => format!("redis://{host}:{port}/{database}"),
                ConnectionAddr::TcpTls { host, port, .. } => format!("rediss://{host}:{port}/{database}"),
                other => other.to_string(),
            };
            (Server::One(url.to_owned()), address)
        };
        let target = Self { server, ca, address };
        if let Server::Sentinels { scheme, before, database, .. } = &target.server {
            let example = format!("{scheme}://{before}host:1{database}");
            example.into_connection_info().map_err(|_| unreadable())?;
        }
        Ok(target)
    }

    /// Whether another server may be the master later.
    pub(super) const fn may_move(&self) -> bool {
        matches!(self.server, Server::Sentinels { .. })
    }

    /// Connects to the server, or to the one that is the master now.
    ///
    /// # Errors
    /// When none can be reached, or none says that it is the master.
    pub(super) async fn connect(&self, options: &RedisOptions) -> RedisResult<ConnectionManager> {
        match &self.server {
            Server::One(url) => self.client(url)?.get_connection_manager_with_config(manager(options)).await,
            Server::Sentinels { sentinels, master, before, database, scheme } => {
                let mut last = RedisError::from((ErrorKind::Client, "no Sentinel is named"));
                for sentinel in sentinels {
                    let found = self.master(&format!("{scheme}://{sentinel}"), master, options).await;
                    let connected = match found {
                        Ok(place) => {
                            self.connect_to_master(&format!("{scheme}://{before}{place}{database}"), options).await
                        }
                        Err(error) => Err(error),
                    };
                    match connected {
                        Ok(connection) => return Ok(connection),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
        }
    }

    /// `HOST:PORT` of the master, as one Sentinel knows it.
    async fn master(&self, sentinel: &str, master: &str, options: &RedisOptions) -> RedisResult<String> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(options.connect_timeout))
            .set_response_timeout(Some(options.response_timeout));
        let mut connection = self.client(sentinel)?.get_multiplexed_async_connection_with_config(&config).await?;
        let mut command = redis::cmd("SENTINEL");
        let found: Option<(String, u16)> =
            command.arg("GET-MASTER-ADDR-BY-NAME").arg(master).query_async(&mut connection).await?;
        let (host, port) =
            found.ok_or_else(|| RedisError::from((ErrorKind::Client, "the Sentinels know no master of that name")))?;
        Ok(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
    }

    /// A Sentinel that was cut off may name one that is the master no more.
    async fn connect_to_master(&self, url: &str, options: &RedisOptions) -> RedisResult<ConnectionManager> {
        let mut connection = self.client(url)?.get_connection_manager_with_config(manager(options)).await?;
        let role: Vec<redis::Value> = redis::cmd("ROLE").query_async(&mut connection).await?;
        let is_master =
            role.first().is_some_and(|role| matches!(role, redis::Value::BulkString(name) if name == b"master"));
        if is_master {
            Ok(connection)
        } else {
            Err((ErrorKind::Client, "the server that was the master is a replica").into())
        }
    }

    fn client(&self, url: &str) -> RedisResult<Client> {
        if url.starts_with("rediss://") {
            let _ = rustls::crypto::ring::default_provider().install_default();
            return Client::build_with_tls(url, TlsCertificates { client_tls: None, root_cert: self.ca.clone() });
        }
        Client::open(url)
    }
}

/// `[USERINFO@]HOST:PORT,HOST:PORT/MASTER[/DB]`.
fn sentinels_of(scheme: &'static str, rest: &str) -> Option<(Server, String)> {
    let (before, rest) = rest.rsplit_once('@').map_or(("", rest), |(user, rest)| (user, rest));
    let before = if before.is_empty() { String::new() } else { format!("{before}@") };
    let (hosts, name) = rest.split_once('/')?;
    let (master, database) = name.split_once('/').unwrap_or((name, ""));
    if master.is_empty() || !database.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let sentinels: Vec<String> = hosts.split(',').map(str::to_owned).collect();
    if !sentinels
        .iter()
        .all(|place| place.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()))
    {
        return None;
    }
    let database = if database.is_empty() { "0" } else { database };
    let address = format!("{scheme}+sentinel://{hosts}/{master}/{database}");
    let database = format!("/{database}");
    Some((Server::Sentinels { sentinels, master: master.to_owned(), before, database, scheme }, address))
}

/// What is said of a server that cannot be reached, or cannot do what it was asked.
pub(super) fn unreachable_at(address: &str, error: &RedisError) -> StoreError {
    // READONLY, LOADING, OOM, MISCONF and the like: the server's own name for its state says most.
    let why = error.code().map_or_else(|| error.to_string(), |code| format!("the server answers {code}"));
    StoreError::Unavailable(format!("{address}: {why}"))
}

fn manager(options: &RedisOptions) -> ConnectionManagerConfig {
    ConnectionManagerConfig::new()
        .set_connection_timeout(Some(options.connect_timeout))
        .set_response_timeout(Some(options.response_timeout))
        .set_number_of_retries(1)
        .set_max_delay(Duration::from_millis(500))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_what_is_said_of_them() {
        for (url, address, moves) in [
            ("redis://h", "redis://h:6379/0", false),
            ("redis://u:geheim@h:1/2", "redis://h:1/2", false),
            ("rediss://u:geheim@h:1/2", "rediss://h:1/2", false),
            ("redis+sentinel://a:1,b:2/mine", "redis+sentinel://a:1,b:2/mine/0", true),
            ("rediss+sentinel://u:geheim@a:1/mine/3", "rediss+sentinel://a:1/mine/3", true),
        ] {
            let target = Target::new(url, None).unwrap();
            assert_eq!((target.address.as_str(), target.may_move()), (address, moves), "{url}");
        }
        for url in [
            "redis://",
            "redis+sentinel://a:1",
            "redis+sentinel://a:1/",
            "redis+sentinel://a/m",
            "redis+sentinel://a:1/m/x",
            "http://h",
        ] {
            let why = Target::new(url, None).err().unwrap();
            assert!(why.contains("redis+sentinel://HOST"), "{url}: {why}");
        }
        let why = Target::new("rediss://h", Some(Path::new("/no/such.pem"))).err().unwrap();
        assert!(why.contains("/no/such.pem"), "{why}");
    }
}
