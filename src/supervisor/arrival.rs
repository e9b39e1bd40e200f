//! Documents on their way in: counted while they come, to disk, never into memory. And results on their way to where their
//! caller wants them.

use bytes::Bytes;
use futures::{Stream, StreamExt};

use super::handle::{Handle, gone};
use super::intake::submit::not_stored;
use super::intake::tenants::UploadSlot;
use super::messages::{BeginTrial, BeginUpload, CountRequest, GrowUpload, RequestError};
use crate::blob::{Staged, Staging};
use crate::document::{looks_like_document, not_a_pdf, too_large};
use crate::task::{Failure, code};

/// Bytes collected before they are written: a thread is asked once for so many.
const WRITE_SIZE: usize = 512 * 1024;
/// So many of its first bytes say whether something is a document.
const HEAD: u64 = 1_024;

impl Handle {
    /// Asks whether `tenant` may bring a PDF of `bytes` bytes now, 0 when that is not known. It counts for the tenant as
    /// long as what is returned lives.
    ///
    /// # Errors
    /// [`RequestError::QueueFull`], [`RequestError::OverQuota`] or [`RequestError::Stopping`].
    pub async fn begin_upload(&self, tenant: Option<String>, bytes: u64) -> Result<UploadSlot, RequestError> {
        self.supervisor.send(BeginUpload { tenant, bytes }).await.map_err(gone)?
    }

    /// Asks the same for a PDF that is to be submitted: of a tenant that has too much, a few are taken in all the same. Such a
    /// submit is answered with the equal task that is there, if there is one, and refused otherwise.
    ///
    /// # Errors
    /// As [`Self::begin_upload`].
    pub async fn begin_submit(&self, tenant: Option<String>, bytes: u64) -> Result<UploadSlot, RequestError> {
        match self.begin_upload(tenant.clone(), bytes).await {
            Err(RequestError::OverQuota(refused)) => {
                self.supervisor.send(BeginTrial { tenant, bytes, refused }).await.map_err(gone)?
            }
            begun => begun,
        }
    }

    /// Whether the requests of tenants are limited.
    #[cfg(feature = "http")]
    pub(crate) const fn counts_requests(&self) -> bool {
        self.counts_requests
    }

    /// Counts one more request of `tenant` among those that it may make.
    ///
    /// # Errors
    /// [`RequestError::OverRate`].
    pub async fn count_request(&self, tenant: &str) -> Result<(), RequestError> {
        if !self.counts_requests {
            return Ok(());
        }
        self.supervisor.send(CountRequest::new(tenant.to_owned())).await.map_err(gone)?
    }

    /// Counts an upload with `bytes` bytes in all, before they are kept.
    ///
    /// # Errors
    /// [`RequestError::OverQuota`].
    pub async fn grow_upload(&self, upload: &UploadSlot, bytes: u64) -> Result<(), RequestError> {
        if bytes <= upload.bytes() {
            return Ok(());
        }
        self.supervisor.send(GrowUpload { upload: upload.share(), bytes }).await.map_err(gone)?
    }

    /// Starts an upload: bytes go to disk as they come. Blocks briefly.
    ///
    /// # Errors
    /// [`RequestError::StorageFailed`] when no file can be made, or the disk is as good as full.
    pub fn stage(&self) -> Result<Staging, RequestError> {
        let full = || Err(std::io::ErrorKind::StorageFull.into());
        let staged = if self.blob.has_room() { self.blob.stage() } else { full() };
        staged.map_err(|error| not_stored(&error))
    }

    /// Writes a document to disk as it comes. Whatever stops it, what was written goes with it.
    ///
    /// # Errors
    /// What the stream ends with; [`RequestError::Rejected`] as soon as it is too large or no document;
    /// [`RequestError::OverQuota`], [`RequestError::StorageFailed`].
    pub async fn receive<E: From<RequestError>>(
        &self,
        upload: &UploadSlot,
        stream: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<Staged, E> {
        let mut stream = std::pin::pin!(stream);
        let limit = self.limits().max_bytes;
        let mut staging = self.stage()?;
        let mut buffer: Vec<u8> = Vec::with_capacity(WRITE_SIZE);
        let mut total = 0;
        while let Some(piece) = stream.next().await {
            let piece = piece?;
            let begins = total < HEAD;
            total += piece.len() as u64;
            if total > limit {
                return Err(RequestError::Rejected(too_large(limit)).into());
            }
            self.grow_upload(upload, total).await?;
            buffer.extend_from_slice(&piece);
            if begins && total >= HEAD && !looks_like_document(&buffer) {
                // No need to take in the rest of what is no document.
                return Err(RequestError::Rejected(not_a_pdf()).into());
            }
            if buffer.len() >= WRITE_SIZE {
                (staging, buffer) = write(staging, buffer).await?;
            }
        }
        (staging, _) = write(staging, buffer).await?;
        Ok(staging.finish())
    }

    /// Whether documents are fetched from addresses.
    #[must_use]
    pub const fn fetches(&self) -> bool {
        self.outside.fetcher.is_on()
    }

    /// Fetches a document from an address that a caller named, and says how it is called there. `headers` go to the host of
    /// `url` alone.
    ///
    /// # Errors
    /// [`RequestError::AddressUnavailable`] when it may not be fetched, or cannot be; and as [`Self::receive`].
    pub async fn fetch(
        &self,
        url: &str,
        headers: &[(String, String)],
        upload: &UploadSlot,
    ) -> Result<(Staged, Option<String>), RequestError> {
        let fetched = self.outside.fetcher.fetch(url, headers).await.map_err(RequestError::AddressUnavailable)?;
        let limit = self.limits().max_bytes;
        if fetched.length().is_some_and(|length| length > limit) {
            return Err(RequestError::Rejected(too_large(limit)));
        }
        let called = fetched.file_name();
        let pieces = futures::stream::try_unfold(fetched, |mut fetched| async {
            let piece = fetched.next().await.map_err(RequestError::AddressUnavailable)?;
            Ok(piece.map(|piece| (piece, fetched)))
        });
        Ok((self.receive::<RequestError>(upload, pieces).await?, called))
    }
}

impl Handle {
    /// Sends bytes to an address that a caller named, by PUT, under the rules of webhooks.
    ///
    /// # Errors
    /// [`RequestError::AddressUnavailable`] when they may not go there, or are not taken.
    pub async fn put(&self, url: &str, media_type: &'static str, bytes: Vec<u8>) -> Result<(), RequestError> {
        self.outside.notifier.put(url, media_type, bytes).await.map_err(|not| {
            log::info!("a result was not taken: {}", not.detail.as_deref().unwrap_or(&not.why));
            let why = format!("target: {}", not.why);
            RequestError::AddressUnavailable(if not.for_good {
                Failure::permanent(code::TARGET_UNAVAILABLE, why)
            } else {
                Failure::transient(code::TARGET_UNAVAILABLE, why)
            })
        })
    }
}

async fn write(mut staging: Staging, mut buffer: Vec<u8>) -> Result<(Staging, Vec<u8>), RequestError> {
    let written = tokio::task::spawn_blocking(move || {
        staging.write(&buffer)?;
        buffer.clear();
        Ok((staging, buffer))
    });
    written.await.map_err(|_| RequestError::Stopping)?.map_err(|error: std::io::Error| not_stored(&error))
}
