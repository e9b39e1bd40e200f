//! Blobs in object storage: S3 and what speaks it.
//!
//! Small bodies are one request. Larger files go up in parts, a few at a time, so that memory does not grow with them;
//! parts of an upload that never ended are never visible, and go when the bucket has a rule for that
//! (`AbortIncompleteMultipartUpload`). What a server refuses for the moment (500, 503 `SlowDown`, a broken connection) is
//! tried again with growing pauses, for as long as [`RETRIES`] says; what it refuses for good is said at once.

use std::io;
use std::ops::Range;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, GetOptions, GetRange, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutPayload, RetryConfig,
};
use tokio::io::AsyncReadExt;
use uuid::Uuid;

use self::errors::said;
use super::store::{BlobMeta, BlobStore, Body, Download, PutMode, plain_key};
use crate::clock::Timestamp;

mod errors;

/// Bytes of one part of an upload. S3 takes at most 10,000 parts of at least 5 MiB.
const PART: usize = 8 << 20;
/// Parts of one file that are under way at once.
const PARTS_AT_ONCE: usize = 4;
/// How often, and for how long, a request is tried again.
const RETRIES: (usize, Duration) = (8, Duration::from_secs(60));
/// The longest that a server may be silent, and that a connection may take.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest that one request may take: the largest source over a slow line.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(30);

/// Which bucket, and how it is reached. Keys and tokens come from where programs for S3 look for them: the variables
/// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, a web identity, or the role of the container or
/// the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectOptions {
    /// The bucket's name.
    pub bucket: String,
    /// What all keys begin with, without slashes around it; may be empty.
    pub prefix: String,
    /// The server's URL, where it is not Amazon's. Else `AWS_ENDPOINT_URL` counts.
    pub endpoint: Option<String>,
    /// The region; else `AWS_REGION` or `AWS_DEFAULT_REGION` counts.
    pub region: Option<String>,
    /// Whether the bucket's name stands in the path, not in the host's name. By default so where there is an endpoint.
    pub path_style: Option<bool>,
}

impl ObjectOptions {
    /// A bucket of AWS, or of the server that the environment names.
    #[must_use]
    pub fn new(bucket: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), ..Self::default() }
    }

    /// `s3://BUCKET/PREFIX`.
    #[must_use]
    pub fn url(&self) -> String {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        format!("s3://{}{slash}{}", self.bucket, self.prefix)
    }

    fn place(&self) -> String {
        let at = self.endpoint.as_ref().map(|endpoint| format!(" at {endpoint}"));
        format!("{}{}", self.url(), at.unwrap_or_default())
    }

    fn meta(&self, meta: &ObjectMeta) -> BlobMeta {
        let key = meta.location.as_ref();
        let own = key.strip_prefix(&self.prefix).map_or(key, |key| key.trim_start_matches('/'));
        BlobMeta { key: own.to_owned(), bytes: meta.size, modified: timestamp(meta) }
    }
}

/// A bucket, or what is below a prefix of it.
#[derive(Debug)]
pub struct ObjectStorage {
    bucket: Arc<AmazonS3>,
    options: ObjectOptions,
    /// Whether the server lets one of several creators win; found out by [`BlobStore::probe`].
    keeps_first: AtomicBool,
}

impl ObjectStorage {
    /// The storage of `options`. Sends nothing yet.
    ///
    /// # Errors
    /// Of the kind [`io::ErrorKind::InvalidInput`], when an option or a variable cannot be used: says which.
    pub fn new(mut options: ObjectOptions) -> io::Result<Self> {
        let unusable = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let backoff =
            BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(8), base: 2.0 };
        let (max_retries, retry_timeout) = RETRIES;
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(&options.bucket).with_retry(RetryConfig {
            backoff,
            max_retries,
            retry_timeout,
        });
        if let Some(region) = &options.region {
            builder = builder.with_region(region);
        }
        let of_environment = [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint];
        options.endpoint =
            options.endpoint.or_else(|| of_environment.iter().find_map(|key| builder.get_config_value(key)));
        let endpoint = options.endpoint.clone();
        let path_style = options.path_style.unwrap_or(endpoint.is_some());
        builder = builder.with_virtual_hosted_style_request(!path_style);
        let mut client = ClientOptions::new()
            .with_timeout(REQUEST_TIMEOUT)
            .with_read_timeout(READ_TIMEOUT)
            .with_connect_timeout(CONNECT_TIMEOUT);
        if let Some(endpoint) = endpoint {
            client = client.with_allow_http(endpoint.starts_with("http://"));
            let endpoint =
                if path_style { endpoint } else { with_bucket(&endpoint, &options.bucket).map_err(unusable)? };
            builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, &endpoint).with_endpoint(endpoint);
        }
        let bucket = builder.with_client_options(client).build().map_err(|error| unusable(error.to_string()))?;
        Ok(Self { bucket: Arc::new(bucket), options, keeps_first: AtomicBool::new(true) })
    }

    fn path(&self, key: &str) -> io::Result<Path> {
        let key = plain_key(key)?;
        Path::parse(self.full(key)).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))
    }

    /// The key in the bucket, or what one begins with.
    fn full(&self, key: &str) -> String {
        if self.options.prefix.is_empty() { key.to_owned() } else { format!("{}/{key}", self.options.prefix) }
    }

    fn said(&self, error: &object_store::Error) -> io::Error {
        said(error, &self.options.place())
    }

    async fn put_bytes(&self, path: &Path, bytes: Bytes, mode: PutMode) -> io::Result<()> {
        let mode = match mode {
            PutMode::Overwrite => object_store::PutMode::Overwrite,
            PutMode::Create => object_store::PutMode::Create,
        };
        let put = self.bucket.put_opts(path, PutPayload::from_bytes(bytes), mode.into()).await;
        put.map(drop).map_err(|error| self.said(&error))
    }

    async fn put_file(&self, path: &Path, file: &FilePath, mode: PutMode) -> io::Result<()> {
        let mut file = tokio::fs::File::open(file).await?;
        let first = read_part(&mut file).await?;
        if first.len() < PART {
            return self.put_bytes(path, first, mode).await;
        }
        if mode == PutMode::Create {
            // The library cannot complete an upload on condition. Keys that are created have one writer, whose own second
            // try this finds.
            refuse_existing(self.bucket.head(path).await, path).map_err(|error| self.said(&error))?;
        }
        let mut upload = self.bucket.put_multipart(path).await.map_err(|error| self.said(&error))?;
        let sent = match send_parts(&mut *upload, first, &mut file).await {
            Ok(()) => upload.complete().await.map(drop).map_err(|error| self.said(&error)),
            Err(PartError::Storage(error)) => Err(self.said(&error)),
            Err(PartError::File(error)) => Err(error),
        };
        if sent.is_err() {
            let _ = upload.abort().await;
        }
        sent
    }
}

#[async_trait]
impl BlobStore for ObjectStorage {
    fn place(&self) -> String {
        self.options.place()
    }

    async fn probe(&self) -> io::Result<Vec<String>> {
        let key = format!("probe/{}", Uuid::now_v7().simple());
        self.put(&key, Body::from(&b"1"[..]), PutMode::Create).await?;
        let again = self.put(&key, Body::from(&b"2"[..]), PutMode::Create).await;
        let seen = async {
            let read = self.get(&key, None).await?.ok_or(io::ErrorKind::NotFound)?;
            let listed = self.list(&key).try_collect::<Vec<_>>().await?;
            Ok::<_, io::Error>((read.bytes.try_collect::<Vec<_>>().await?.concat(), listed.len()))
        };
        let seen = seen.await;
        self.delete(&key).await?;
        let (_, listed) = seen?;
        let mut warnings = Vec::new();
        match again {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(()) => {
                self.keeps_first.store(false, Ordering::Relaxed);
                warnings.push(format!(
                    "{} ignores If-None-Match: of two servers that write the same result at once the last one would win; \
                     Bindery looks before it writes, and a lease keeps two servers from one task, but use storage with \
                     conditional writes",
                    self.place()
                ));
            }
        }
        if listed != 1 {
            return Err(io::Error::other(format!(
                "{} does not list what was just written: Bindery needs storage whose listings are up to date",
                self.place()
            )));
        }
        Ok(warnings)
    }

    async fn put(&self, key: &str, body: Body, mode: PutMode) -> io::Result<()> {
        let path = self.path(key)?;
        if mode == PutMode::Create && !self.keeps_first.load(Ordering::Relaxed) {
            refuse_existing(self.bucket.head(&path).await, &path).map_err(|error| self.said(&error))?;
        }
        match body {
            Body::Bytes(bytes) => self.put_bytes(&path, bytes, mode).await,
            Body::File(file) => self.put_file(&path, &file, mode).await,
        }
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> io::Result<Option<Download>> {
        let path = self.path(key)?;
        let options = GetOptions { range: range.clone().map(GetRange::Bounded), ..GetOptions::default() };
        match self.bucket.get_opts(&path, options).await {
            Ok(found) => {
                let (meta, place) = (self.options.meta(&found.meta), self.place());
                let bytes = found.into_stream().map_err(move |error| said(&error, &place)).boxed();
                Ok(Some(Download { meta, bytes }))
            }
            Err(error) if errors::is_absent(&error) => Ok(None),
            Err(error) => match (range, self.head(key).await) {
                (Some(range), Ok(Some(meta))) if range.start >= meta.bytes => {
                    Err(io::Error::new(io::ErrorKind::InvalidInput, "the range begins behind the end of the blob"))
                }
                _ => Err(self.said(&error)),
            },
        }
    }

    async fn head(&self, key: &str) -> io::Result<Option<BlobMeta>> {
        match self.bucket.head(&self.path(key)?).await {
            Ok(meta) => Ok(Some(self.options.meta(&meta))),
            Err(error) if errors::is_absent(&error) => Ok(None),
            Err(error) => Err(self.said(&error)),
        }
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, io::Result<BlobMeta>> {
        let (bucket, prefix, options) = (Arc::clone(&self.bucket), self.full(prefix), self.options.clone());
        let pages = futures::stream::try_unfold(Some(None), move |token: Option<Option<String>>| {
            let (bucket, prefix, options) = (Arc::clone(&bucket), prefix.clone(), options.clone());
            async move {
                let Some(token) = token else { return Ok(None) };
                let page = page_of(&bucket, &prefix, None, token).await;
                let (page, next) = page.map_err(|error| said(&error, &options.place()))?;
                let found: Vec<_> = page.objects.iter().map(|meta| Ok(options.meta(meta))).collect();
                Ok::<_, io::Error>(Some((futures::stream::iter(found), next.map(Some))))
            }
        });
        pages.try_flatten().boxed()
    }

    async fn folders(&self, key: &str) -> io::Result<Vec<String>> {
        let prefix = self.full(&format!("{}/", plain_key(key)?));
        let (mut names, mut token) = (Vec::new(), None);
        loop {
            let page = page_of(&self.bucket, &prefix, Some("/"), token).await;
            let (page, next) = page.map_err(|error| self.said(&error))?;
            names.extend(page.common_prefixes.iter().filter_map(|folder| folder.filename().map(str::to_owned)));
            match next {
                Some(next) => token = Some(next),
                None => return Ok(names),
            }
        }
    }

    async fn delete(&self, key: &str) -> io::Result<()> {
        match self.bucket.delete(&self.path(key)?).await {
            Ok(()) => Ok(()),
            Err(error) if errors::is_absent(&error) => Ok(()),
            Err(error) => Err(self.said(&error)),
        }
    }

    async fn delete_prefix(&self, prefix: &str) -> io::Result<u64> {
        let mut gone = 0;
        let mut found = self.list(prefix).try_chunks(1_000);
        while let Some(chunk) = found.next().await {
            let chunk = chunk.map_err(|error| error.1)?;
            let paths: Vec<_> = chunk.iter().map(|meta| self.path(&meta.key)).collect::<io::Result<_>>()?;
            let paths = futures::stream::iter(paths.into_iter().map(Ok)).boxed();
            let mut removed = self.bucket.delete_stream(paths);
            while let Some(removed) = removed.next().await {
                match removed {
                    Err(error) if !errors::is_absent(&error) => return Err(self.said(&error)),
                    _ => gone += 1,
                }
            }
        }
        Ok(gone)
    }
}

/// One page of a listing, and how the next one is asked for.
async fn page_of(
    bucket: &AmazonS3,
    prefix: &str,
    delimiter: Option<&'static str>,
    page_token: Option<String>,
) -> object_store::Result<(ListResult, Option<String>)> {
    let options =
        PaginatedListOptions { delimiter: delimiter.map(Into::into), page_token, ..PaginatedListOptions::default() };
    let page = bucket.list_paginated(Some(prefix).filter(|prefix| !prefix.is_empty()), options).await?;
    Ok((page.result, page.page_token))
}

/// The URL of a server with the bucket's name in its host.
fn with_bucket(endpoint: &str, bucket: &str) -> Result<String, String> {
    match endpoint.split_once("://") {
        Some((scheme, host)) => Ok(format!("{scheme}://{bucket}.{host}")),
        None => Err(format!("the endpoint {endpoint:?} is no URL: write https://HOST or http://HOST:PORT")),
    }
}

fn timestamp(meta: &ObjectMeta) -> Timestamp {
    let millis = u64::try_from(meta.last_modified.timestamp_millis()).unwrap_or(0);
    (std::time::UNIX_EPOCH + Duration::from_millis(millis)).into()
}

fn refuse_existing(found: object_store::Result<ObjectMeta>, path: &Path) -> object_store::Result<()> {
    match found {
        Ok(_) => Err(object_store::Error::AlreadyExists { path: path.to_string(), source: "it is there".into() }),
        Err(error) if errors::is_absent(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

enum PartError {
    Storage(object_store::Error),
    File(io::Error),
}

async fn send_parts(
    upload: &mut dyn MultipartUpload,
    first: Bytes,
    file: &mut tokio::fs::File,
) -> Result<(), PartError> {
    let mut under_way = futures::stream::FuturesUnordered::new();
    let mut part = first;
    while !part.is_empty() {
        if under_way.len() == PARTS_AT_ONCE
            && let Some(sent) = under_way.next().await
        {
            let () = Result::map_err(sent, PartError::Storage)?;
        }
        under_way.push(upload.put_part(PutPayload::from_bytes(part)));
        part = read_part(file).await.map_err(PartError::File)?;
    }
    while let Some(sent) = under_way.next().await {
        let () = Result::map_err(sent, PartError::Storage)?;
    }
    Ok(())
}

/// The next part of a file; shorter at its end.
async fn read_part(file: &mut tokio::fs::File) -> io::Result<Bytes> {
    let mut part = BytesMut::with_capacity(PART);
    while part.len() < PART {
        let room = PART - part.len();
        if (&mut *file).take(room as u64).read_buf(&mut part).await? == 0 {
            break;
        }
    }
    Ok(part.freeze())
}
