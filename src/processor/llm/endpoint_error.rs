use std::io;

/// Why an endpoint cannot be used as it is configured. No message holds its key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The base URL is none, or of a kind that calls cannot go to: a sentence.
    #[error("{0}")]
    BaseUrl(String),
    /// The key has characters that a header cannot carry.
    #[error("the LLM API key has characters that a header cannot carry")]
    ApiKey,
    /// The file with certificates cannot be read.
    #[error("the CA file cannot be read: {}", .0.kind())]
    CaFile(#[source] io::Error),
    /// The file has no certificate in it.
    #[error("the CA file holds no certificate in PEM form")]
    NoCertificate,
    /// The HTTP client cannot be made: what it says.
    #[error("no HTTP client: {0}")]
    Client(String),
    /// The threads that make calls do not start.
    #[error("no threads for calls: {0}")]
    Threads(#[source] io::Error),
}
