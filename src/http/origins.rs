//! Web pages of other origins that may use the API (CORS; Fetch Standard, 3.3).

use std::sync::Arc;

use actix_cors::Cors;
use actix_web::http::{Method, Uri};
use actix_web::middleware::Condition;

use crate::task::ParseError;

/// How long a browser may keep the answer to a preflight, seconds.
const PREFLIGHT_AGE: usize = 3_600;
/// Stands for every origin.
const ANY: &str = "*";

/// Origins whose web pages may use the API from a browser, such as `https://app.example.org`; none by default.
///
/// A page sends its key in a header, as any other client. Cookies and other credentials of the browser are never allowed,
/// and Bindery has none; so `*`, which stands for every origin, lets no page in that has no key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Arc<[String]>);

impl Origins {
    /// Reads origins, or `*` alone.
    ///
    /// # Errors
    /// For the first that is not what a browser sends as `Origin`, with what to write instead.
    pub fn parse<T: AsRef<str>>(given: &[T]) -> Result<Self, ParseError> {
        let given = given.iter().map(|text| text.as_ref().trim()).filter(|text| !text.is_empty());
        let mut origins = given.map(origin).collect::<Result<Vec<_>, _>>()?;
        if origins.len() > 1 && origins.iter().any(|origin| origin == ANY) {
            return Err(ParseError::new("* stands for every origin: name no other beside it"));
        }
        origins.sort_unstable();
        origins.dedup();
        Ok(Self(origins.into()))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every web page is let in.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.0.iter().any(|origin| origin == ANY)
    }

    /// Whether pages of this origin are let in.
    #[must_use]
    pub fn allow(&self, origin: &str) -> bool {
        self.is_any() || self.0.iter().any(|allowed| allowed == origin)
    }

    /// The origins as they were written.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// What tells browsers about it, for a whole app: `App::new().wrap(origins.middleware())`. It answers preflights, and lets
    /// pages of these origins read every header of an answer. Without origins it does nothing.
    #[must_use]
    pub fn middleware(&self) -> Condition<Cors> {
        let cors = Cors::default()
            .allowed_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE])
            // Clients of other services have headers of their own, and none has a meaning that a page must not use.
            .allow_any_header()
            .expose_any_header()
            .max_age(PREFLIGHT_AGE);
        let cors = if self.is_any() {
            cors.allow_any_origin().send_wildcard()
        } else {
            let origins = self.clone();
            cors.allowed_origin_fn(move |origin, _| origin.to_str().is_ok_and(|origin| origins.allow(origin)))
        };
        Condition::new(!self.is_empty(), cors)
    }
}

/// An origin as browsers write it (RFC 6454, 6.2).
fn origin(text: &str) -> Result<String, ParseError> {
    if text == ANY {
        return Ok(text.to_owned());
    }
    let refuse = |why: &str| {
        Err(ParseError::new(format!("{text:?} is not an origin: {why}, such as https://app.example.org, or * for all")))
    };
    if text.eq_ignore_ascii_case("null") {
        return refuse("any page can have the origin null; write SCHEME://HOST[:PORT]");
    }
    let Some((scheme, host)) = text.split_once("://") else { return refuse("write SCHEME://HOST[:PORT]") };
    let uri = text.parse::<Uri>().ok().filter(|uri| uri.authority().is_some_and(|known| known.as_str() == host));
    // The parser takes none at all for a scheme, too.
    let uri = uri.filter(|_| scheme.starts_with(|c: char| c.is_ascii_alphabetic()));
    let Some(authority) = uri.as_ref().and_then(Uri::authority).filter(|known| !known.as_str().contains('@')) else {
        return refuse("write SCHEME://HOST[:PORT], without a path");
    };
    // The parser takes any digits for a port.
    let port = authority.as_str().rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
    if authority.host().contains('*') || port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return refuse("write SCHEME://HOST[:PORT] in full");
    }
    let (scheme, host) = (scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
    // A browser leaves the usual port out.
    let usual = if scheme == "https" { ":443" } else { ":80" };
    let web = matches!(scheme.as_str(), "http" | "https");
    let host = host.strip_suffix(usual).filter(|_| web).map_or(host.as_str(), |host| host).to_owned();
    Ok(format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_as_browsers_write_them() {
        for (given, read) in [
            ("https://App.Example.org", "https://app.example.org"),
            ("https://h:443", "https://h"),
            ("http://h:80", "http://h"),
            ("http://h:443", "http://h:443"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("chrome-extension://abcdef", "chrome-extension://abcdef"),
            ("*", "*"),
        ] {
            let origins = Origins::parse(&[given]).unwrap();
            assert_eq!(origins.iter().collect::<Vec<_>>(), [read]);
            assert!(origins.allow(read) && (given == "*" || !origins.allow("https://other.example")));
        }
        assert!(Origins::parse(&["", " "]).unwrap().is_empty());
        for wrong in [
            "app.example.org",
            "https://",
            "https://h/",
            "https://h/path",
            "https://u@h",
            "https://*.h",
            "https://h:x",
            "https://h:99999",
            "null",
            "https://a b",
            "://h",
        ] {
            assert!(Origins::parse(&[wrong]).is_err(), "{wrong}");
        }
        assert!(Origins::parse(&["*", "https://h"]).is_err());
    }
}
