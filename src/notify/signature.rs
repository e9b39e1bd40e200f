//! Signatures of the Standard Webhooks convention, version 1 (symmetric).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a secret begins with that is written in base64.
const PREFIX: &str = "whsec_";

/// The value of `webhook-signature`. A secret that is not written by the convention is used as it stands.
pub(super) fn sign(secret: &str, id: &str, seconds: u64, body: &str) -> String {
    let decoded = secret.strip_prefix(PREFIX).and_then(|encoded| STANDARD.decode(encoded).ok());
    let key = decoded.unwrap_or_else(|| secret.as_bytes().to_vec());
    // A key may have any length (RFC 2104).
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else { return String::new() };
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the convention's text.
    #[test]
    fn is_that_of_the_convention() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let body = r#"{"test": 2432232314}"#;
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body), expected);
        assert_ne!(sign("plain", "msg_1", 1, body), sign("plain", "msg_1", 2, body));
    }
}
