//! What object storage refuses, in words that say what to do. Pure.

use std::error::Error as _;
use std::io;

use object_store::Error;

/// Codes and words of S3's answers, what each means, and whether it may pass by itself. The first that is found counts.
/// Source: Amazon S3 API reference, "Error responses".
const MEANINGS: [(&str, io::ErrorKind, &str); 15] = [
    ("NoSuchBucket", io::ErrorKind::Other, "the bucket does not exist: create it, or name another one"),
    (
        "InvalidAccessKeyId",
        io::ErrorKind::PermissionDenied,
        "the server does not know the access key: check AWS_ACCESS_KEY_ID",
    ),
    ("SignatureDoesNotMatch", io::ErrorKind::PermissionDenied, "the secret key is wrong: check AWS_SECRET_ACCESS_KEY"),
    ("ExpiredToken", io::ErrorKind::PermissionDenied, "the session token has expired: renew AWS_SESSION_TOKEN"),
    ("InvalidToken", io::ErrorKind::PermissionDenied, "the session token is wrong: check AWS_SESSION_TOKEN"),
    (
        "RequestTimeTooSkewed",
        io::ErrorKind::PermissionDenied,
        "this machine's clock is wrong: the server refuses what it signs",
    ),
    (
        "AccessDenied",
        io::ErrorKind::PermissionDenied,
        "the key may not do this: allow it to get, put, list and delete there",
    ),
    (
        "403 Forbidden",
        io::ErrorKind::PermissionDenied,
        "the server refuses the key: check it, and what it may do there",
    ),
    ("401 Unauthorized", io::ErrorKind::PermissionDenied, "the server refuses the key: check it"),
    ("AuthorizationHeaderMalformed", io::ErrorKind::InvalidInput, "the bucket is in another region: give --s3-region"),
    (
        "PermanentRedirect",
        io::ErrorKind::InvalidInput,
        "the bucket is elsewhere: give --s3-region, or another --s3-endpoint",
    ),
    ("redirect without LOCATION", io::ErrorKind::InvalidInput, "the bucket is in another region: give --s3-region"),
    ("SlowDown", io::ErrorKind::TimedOut, "the server is asked too often for now"),
    ("503 Service", io::ErrorKind::TimedOut, "the server is busy for now"),
    ("QuotaExceeded", io::ErrorKind::StorageFull, "the bucket is full"),
];

/// Whether nothing is there. A bucket that is not there is something else: what was in it may come back.
pub(super) fn is_absent(error: &Error) -> bool {
    matches!(error, Error::NotFound { .. }) && !whole_text(error).contains("NoSuchBucket")
}

/// The error as the rest of the program knows errors, with a sentence for people. Never `NotFound`, which means that a
/// blob is not there.
pub(super) fn said(error: &Error, place: &str) -> io::Error {
    if let Error::AlreadyExists { .. } | Error::Precondition { .. } = error {
        return io::Error::new(io::ErrorKind::AlreadyExists, format!("{place}: something has that key already"));
    }
    let text = whole_text(error);
    if let Some((_, kind, meaning)) = MEANINGS.iter().find(|(word, ..)| text.contains(word)) {
        return io::Error::new(*kind, format!("{place}: {meaning}"));
    }
    if text.contains("error sending request") {
        return io::Error::new(io::ErrorKind::NotConnected, format!("{place}: the server cannot be reached"));
    }
    io::Error::other(format!("{place}: {}", first_line(&text)))
}

/// The error with all that caused it.
fn whole_text(error: &Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// Long answers of servers are for the log of the server.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Error {
        Error::Generic { store: "S3", source: text.into() }
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        for (answer, kind, word) in [
            ("404 Not Found: <Code>NoSuchBucket</Code>", io::ErrorKind::Other, "create it"),
            ("403 Forbidden: <Code>InvalidAccessKeyId</Code>", io::ErrorKind::PermissionDenied, "AWS_ACCESS_KEY_ID"),
            ("403 Forbidden: <Code>SignatureDoesNotMatch</Code>", io::ErrorKind::PermissionDenied, "SECRET"),
            ("403 Forbidden: <Code>RequestTimeTooSkewed</Code>", io::ErrorKind::PermissionDenied, "clock"),
            ("403 Forbidden: <Code>AccessDenied</Code>", io::ErrorKind::PermissionDenied, "allow it"),
            ("403 Forbidden", io::ErrorKind::PermissionDenied, "refuses the key"),
            ("301: <Code>PermanentRedirect</Code>", io::ErrorKind::InvalidInput, "--s3-region"),
            ("503 Service Unavailable: <Code>SlowDown</Code>", io::ErrorKind::TimedOut, "too often"),
            ("error sending request: connection refused", io::ErrorKind::NotConnected, "reached"),
            ("something else\nwith a long answer", io::ErrorKind::Other, "something else"),
        ] {
            let error = said(&refused(answer), "s3://b/p");
            assert_eq!(error.kind(), kind, "{answer}");
            assert!(error.to_string().starts_with("s3://b/p: ") && error.to_string().contains(word), "{error}");
            assert!(!error.to_string().contains('\n'));
        }
    }

    #[test]
    fn a_missing_bucket_is_no_missing_blob() {
        let missing = |text: &str| Error::NotFound { path: "a".into(), source: text.into() };
        assert!(is_absent(&missing("404 Not Found: <Code>NoSuchKey</Code>")));
        assert!(!is_absent(&missing("404 Not Found: <Code>NoSuchBucket</Code>")));
        assert!(!is_absent(&refused("503")));
        let taken = Error::AlreadyExists { path: "a".into(), source: "412".into() };
        assert_eq!(said(&taken, "s3://b").kind(), io::ErrorKind::AlreadyExists);
    }
}
