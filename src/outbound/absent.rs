//! In a build without fetching: every address is refused.

use bytes::Bytes;

use super::{FetchOptions, refused};
use crate::task::Failure;

/// Fetches nothing.
#[derive(Clone)]
pub(crate) struct Fetcher;

/// What there is none of.
pub(crate) enum Fetched {}

impl Fetcher {
    pub(crate) const fn new(_: &FetchOptions) -> Self {
        Self
    }

    #[allow(clippy::unused_self, reason = "as where documents are fetched")]
    pub(crate) const fn is_on(&self) -> bool {
        false
    }

    /// Refuses every address.
    ///
    /// # Errors
    /// Always.
    #[allow(clippy::unused_async, clippy::unused_self, reason = "as where documents are fetched")]
    pub(crate) async fn fetch(&self, _: &str, _: &[(String, String)]) -> Result<Fetched, Failure> {
        Err(refused("this program is built without fetching"))
    }
}

impl Fetched {
    pub(crate) const fn file_name(&self) -> Option<String> {
        match *self {}
    }

    pub(crate) const fn length(&self) -> Option<u64> {
        match *self {}
    }

    #[allow(clippy::unused_async, reason = "as where documents are fetched")]
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        match *self {}
    }
}
