//! The reader process itself: opens what it is sent, answers what it is asked, ends when its owner hangs up.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use super::confine::{close_inherited, confine};
use super::wire::{Answer, Request, packed, receive, receive_file, send};
use crate::document::content::SharedHashes;
use crate::document::image::PageImage;
use crate::document::ocr::{Recognised, Recogniser};
use crate::document::pdf::OpenPdf;
use crate::document::text::TextLayer;
use crate::task::{Failure, code};

/// After so many requests the caches of fonts are emptied, and after more the file is opened again: the parser keeps each
/// page's content. Both only grow, and memory must not grow with a document's pages.
const REQUESTS_A_CACHE: usize = 128;
const REQUESTS_AN_OPENING: usize = 1_024;

/// Reads PDFs for the process at the other end of standard input, which is a socket, until it hangs up. Takes at most
/// about `memory` bytes. A panic, a lack of memory or an overflow of the stack ends this process: its owner notices.
///
/// # Errors
/// When standard input is not a socket, or breaks.
pub fn read_for_owner(memory: u64) -> io::Result<()> {
    let closed = close_inherited().is_ok();
    let owner = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let unconfined = confine(memory, closed);
    send(&owner, &Answer::Ready { unconfined }, b"")?;
    match serve(&owner) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
        ended => ended,
    }
}

fn serve(owner: &UnixStream) -> io::Result<()> {
    let mut request = next(owner)?;
    let mut recogniser = None;
    loop {
        request = match request {
            Request::Open { password } => {
                let file = receive_file(owner)?;
                match OpenPdf::open(&file, password.as_deref()) {
                    Ok(pdf) => {
                        send(owner, &Answer::Opened { pages: pdf.page_count() }, b"")?;
                        serve_pages(owner, pdf, &mut recogniser, || OpenPdf::open(&file, password.as_deref()))?
                    }
                    Err(failure) => {
                        // It may be deleted now, and its bytes must not stay for that.
                        drop(file);
                        send(owner, &Answer::Failed(failure), b"")?;
                        next(owner)?
                    }
                }
            }
            Request::Close => next(owner)?,
            Request::ContentHash { .. }
            | Request::Facts { .. }
            | Request::Outline
            | Request::Image { .. }
            | Request::Figures { .. }
            | Request::Text { .. }
            | Request::Models
            | Request::Recognise { .. } => {
                let failure = Failure::permanent(code::PAGE_DAMAGED, "no file is open");
                send(owner, &Answer::Failed(failure), b"")?;
                next(owner)?
            }
        };
    }
}

/// Answers for the pages of one file; returns the first request that is about something else.
fn serve_pages(
    owner: &UnixStream,
    mut pdf: OpenPdf,
    recogniser: &mut Option<Recogniser>,
    open: impl Fn() -> Result<OpenPdf, Failure>,
) -> io::Result<Request> {
    loop {
        let mut shared = SharedHashes::default();
        for _ in 0..REQUESTS_AN_OPENING / REQUESTS_A_CACHE {
            let reader = pdf.reader();
            for _ in 0..REQUESTS_A_CACHE {
                let (answer, bytes) = match next(owner)? {
                    Request::ContentHash { page } => match reader.content_hash(page, &mut shared) {
                        Ok(hash) => (Answer::ContentHash, hash.to_vec()),
                        Err(failure) => (Answer::Failed(failure), Vec::new()),
                    },
                    Request::Facts { page } => match reader.facts(page, &mut shared) {
                        Ok(facts) => (Answer::Facts(facts), Vec::new()),
                        Err(failure) => (Answer::Failed(failure), Vec::new()),
                    },
                    Request::Outline => (Answer::Outline(reader.outline().entries(), reader.info()), Vec::new()),
                    Request::Image { page, options } => match reader.image(page, &options) {
                        Ok(PageImage { media_type, width, height, blank, plain, bare, letters, bytes }) => {
                            (Answer::Image { media_type, width, height, blank, plain, bare, letters }, bytes)
                        }
                        Err(failure) => (Answer::Failed(failure), Vec::new()),
                    },
                    Request::Text { page, options } => match reader.text(page, options) {
                        Ok(TextLayer { content, shown, hidden, attached }) => {
                            (Answer::Text { shown, hidden, attached }, serde_json::to_vec(&content)?)
                        }
                        Err(failure) => (Answer::Failed(failure), Vec::new()),
                    },
                    Request::Figures { page, areas } => match reader.figures(page, &areas) {
                        Ok(figures) => {
                            let (heads, files) = packed(figures);
                            (Answer::Figures(heads), files)
                        }
                        Err(failure) => (Answer::Failed(failure), Vec::new()),
                    },
                    Request::Models => match load(owner)? {
                        Ok(loaded) => {
                            *recogniser = Some(loaded);
                            (Answer::Loaded, Vec::new())
                        }
                        Err(failure) => (Answer::Failed(failure), Vec::new()),
                    },
                    Request::Recognise { page } => match reader.recognise(page, recogniser.as_ref()) {
                        Ok(Recognised { content, quality }) => {
                            (Answer::Recognised(quality), serde_json::to_vec(&content)?)
                        }
                        Err(failure) => (Answer::Failed(failure), Vec::new()),
                    },
                    other => return Ok(other),
                };
                send(owner, &answer, &bytes)?;
            }
        }
        if let Ok(again) = open() {
            pdf = again;
        }
    }
}

/// Loads the models whose files follow.
fn load(owner: &UnixStream) -> io::Result<Result<Recogniser, Failure>> {
    let files = [receive_file(owner)?, receive_file(owner)?];
    Ok(Recogniser::load_confined(files)
        .map_err(|why| Failure::transient(code::OCR_FAILED, format!("the OCR models: {why}"))))
}

fn next(mut owner: &UnixStream) -> io::Result<Request> {
    receive(|buffer| owner.read_exact(buffer)).map(|(request, _)| request)
}
