//! Which hosts may be reached, and a client that reaches no other.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{ClientBuilder, Url};

use super::address::is_public;

/// Hosts that an operator does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Others {
    /// Are not reached.
    No,
    /// Are reached when all their addresses are public ones.
    Public,
    /// Are reached whatever their addresses.
    All,
}

/// Which hosts may be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostRules {
    /// Hosts that may be reached whatever their addresses.
    pub(crate) named: Vec<String>,
    /// What of the others.
    pub(crate) others: Others,
    /// The setting that names hosts, for messages.
    pub(crate) setting: &'static str,
}

impl HostRules {
    /// Whether an operator named this host.
    pub(crate) fn names(&self, host: &str) -> bool {
        self.named.iter().any(|named| named.eq_ignore_ascii_case(host))
    }

    fn may_reach(&self, host: &str, address: IpAddr) -> bool {
        let by_itself = match self.others {
            Others::No => false,
            Others::Public => is_public(address),
            Others::All => true,
        };
        by_itself || self.names(host)
    }

    /// The addresses of a name, or nothing when one of them must not be reached: a name that leads to public and to other
    /// ones is no name of a public server.
    fn reachable(&self, host: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, String> {
        if found.iter().all(|address| self.may_reach(host, address.ip())) {
            Ok(found)
        } else {
            Err(format!("it has an address that is not public; {} can allow it", self.setting))
        }
    }

    /// Looks at a URL before anything is sent there.
    ///
    /// # Errors
    /// What is wrong with it, to be read behind the name of what holds it.
    pub(crate) fn check(&self, url: &str) -> Result<Url, String> {
        let parsed: Url = url.parse().map_err(|_| "is not a URL".to_owned())?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err("must begin with http:// or https://".into());
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err("must not hold a user name or password".into());
        }
        let host = parsed.host_str().unwrap_or_default();
        if self.others == Others::No && !self.names(host) {
            return Err(format!(
                "leads to a host that is not allowed; the operator can allow it with {}",
                self.setting
            ));
        }
        // A name is looked at when it is resolved; an address as it stands is never resolved.
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        if literal.is_ok_and(|address| !self.may_reach(host, address)) {
            let setting = self.setting;
            return Err(format!("leads to an address that is not public; the operator can allow it with {setting}"));
        }
        Ok(parsed)
    }
}

/// A client that connects to what the rules allow, made when it is first needed: reading the certificates of a machine takes
/// it longer than the rest of its start. Cheap to clone. Redirections are the business of who uses it.
#[derive(Clone)]
pub(crate) struct CheckedClient {
    rules: Arc<HostRules>,
    timeouts: fn(ClientBuilder) -> ClientBuilder,
    made: Arc<OnceLock<Result<reqwest::Client, String>>>,
}

impl CheckedClient {
    pub(crate) fn new(rules: &Arc<HostRules>, timeouts: fn(ClientBuilder) -> ClientBuilder) -> Self {
        Self { rules: Arc::clone(rules), timeouts, made: Arc::default() }
    }

    /// # Errors
    /// Why there is none.
    pub(crate) fn get(&self) -> Result<&reqwest::Client, String> {
        self.made.get_or_init(|| self.make()).as_ref().map_err(Clone::clone)
    }

    fn make(&self) -> Result<reqwest::Client, String> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            // Through a proxy the address that is connected to could not be checked.
            .no_proxy()
            .dns_resolver(Checked(Arc::clone(&self.rules)))
            .user_agent(concat!("bindery/", env!("CARGO_PKG_VERSION")));
        (self.timeouts)(client).build().map_err(|error| format!("there is no HTTP client here: {error}"))
    }
}

/// The last cause says most; none of them holds a secret.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let cause = causes.last().map(ToString::to_string).unwrap_or_default();
    cause.chars().take(200).collect()
}

/// Resolves names at the moment of the connection: what a name led to before proves nothing.
struct Checked(Arc<HostRules>);

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found = rules.reachable(name.as_str(), found.collect())?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(named: &[&str], others: Others) -> HostRules {
        HostRules { named: named.iter().map(ToString::to_string).collect(), others, setting: "a-setting" }
    }

    #[test]
    fn urls_are_looked_at_before_anything_is_sent() {
        let public = rules(&[], Others::Public);
        for good in [
            "https://example.org/hook",
            "http://example.org:8080/?a=1",
            "https://93.184.216.34/",
            "https://[2606:4700::1]/",
        ] {
            assert!(public.check(good).is_ok(), "{good}");
        }
        for bad in [
            "example.org",
            "ftp://example.org",
            "file:///etc/passwd",
            "https://user:pass@example.org",
            "http://127.0.0.1:6379/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://169.254.169.254/latest/meta-data",
            "http://0.0.0.0/",
            "http://0/",
            "http://127.1/",
            "http://0177.0.0.1/",
            "http://%31%32%37.0.0.1/",
            "http://\u{ff11}27.0.0.1/",
            "http://127.0.0.1./",
            "http://[::]/",
            "http://[::ffff:7f00:1]/",
            "http://[::127.0.0.1]/",
            "http://[64:ff9b::10.0.0.1]/",
            "http://[2002:7f00:1::]/",
            "https://example.org@127.0.0.1/",
            "https://@127.0.0.1/",
            "https://:secret@example.org/",
        ] {
            assert!(public.check(bad).is_err(), "{bad}");
        }
        assert!(rules(&["127.0.0.1"], Others::Public).check("http://127.0.0.1:80/").is_ok());
        assert!(rules(&["127.0.0.1"], Others::Public).check("http://127.0.0.2:80/").is_err());
        assert!(rules(&[], Others::All).check("http://10.1.2.3/").is_ok());
        let named = rules(&["Inside.example"], Others::No);
        assert!(named.check("https://inside.example/a.pdf").is_ok());
        for other in ["https://example.org/a.pdf", "https://93.184.216.34/", "https://a.inside.example/"] {
            assert!(named.check(other).unwrap_err().contains("a-setting"), "{other}");
        }
    }

    /// The operator of a name can have it lead to a public address and to one of this network at once.
    #[test]
    fn a_name_is_reached_only_when_all_its_addresses_may_be() {
        let addresses = |all: &[&str]| all.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect::<Vec<_>>();
        let closed = rules(&[], Others::Public);
        let open = rules(&["Inside.example"], Others::Public);
        for (found, public) in [
            (&["93.184.216.34"][..], true),
            (&["93.184.216.34", "2606:4700::1"], true),
            (&["10.0.0.1"], false),
            (&["93.184.216.34", "10.0.0.1"], false),
            (&["10.0.0.1", "93.184.216.34"], false),
            (&["93.184.216.34", "::1"], false),
            (&["2606:4700::1", "::ffff:169.254.169.254", "93.184.216.34"], false),
            (&["93.184.216.34", "64:ff9b::a9fe:a9fe"], false),
            (&["93.184.216.34", "0.0.0.0"], false),
        ] {
            let reached = closed.reachable("inside.example", addresses(found));
            assert_eq!(reached.ok(), public.then(|| addresses(found)), "{found:?}");
            assert_eq!(open.reachable("inside.example", addresses(found)), Ok(addresses(found)));
            assert_eq!(open.reachable("a.inside.example", addresses(found)).is_ok(), public, "{found:?}");
        }
    }
}
