//! What a reader process and its owner say to each other: one request, one answer, over a socket pair.
//!
//! A frame is two lengths (u32, little endian), JSON, and bytes: the bytes carry what would be costly as JSON. The file
//! to open follows its request as a descriptor on one byte of its own, so the reader never needs a path.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::content::BoundingBox;
use crate::document::facts::{OutlineEntry, PageFacts, Shown};
use crate::document::image::{FigureImage, ImageOptions};
use crate::document::ocr::OcrQuality;
use crate::document::text::{Hidden, TextOptions};
use crate::task::{DocumentInfo, Failure, ImageKind};

/// The largest frame, bytes: a page whose text is larger is not a page, and a reader that claims it is not to be
/// trusted.
const MAX_FRAME: u32 = 64 << 20;

/// What the owner asks.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Open the file whose descriptor follows, in place of the one before.
    Open { password: Option<String> },
    /// Let go of the file. Has no answer.
    Close,
    /// Hash what a page shows.
    ContentHash { page: u32 },
    /// Tell what is known of a page.
    Facts { page: u32 },
    /// Tell the document's outline, and what it says of itself.
    Outline,
    /// Render a page.
    Image { page: u32, options: ImageOptions },
    /// Read the text of a page.
    Text { page: u32, options: TextOptions },
    /// Show some areas of a page.
    Figures { page: u32, areas: Vec<BoundingBox> },
    /// Load the models whose files follow as descriptors: detector, recogniser. They stay until the process ends.
    Models,
    /// Recognise the text of a page on its picture.
    Recognise { page: u32 },
}

/// The picture of a figure, but for its bytes, and how many these are.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FigureHead {
    pub(super) kind: ImageKind,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) bytes: usize,
}

/// What the reader answers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// Before any request: it lives, and what it could not lock itself out of.
    Ready { unconfined: Option<String> },
    /// To [`Request::Open`].
    Opened { pages: usize },
    /// To [`Request::ContentHash`]; the hash is in the frame's bytes.
    ContentHash,
    /// To [`Request::Facts`].
    Facts(PageFacts),
    /// To [`Request::Outline`].
    Outline(Vec<OutlineEntry>, DocumentInfo),
    /// To [`Request::Image`]; the file is in the frame's bytes.
    Image { media_type: String, width: u32, height: u32, blank: bool, plain: bool, bare: bool, letters: u32 },
    /// To [`Request::Text`]; the page's content is in the frame's bytes, as JSON.
    Text { shown: Shown, hidden: Hidden, attached: Vec<String> },
    /// To [`Request::Figures`]; the files are in the frame's bytes, one after the other.
    Figures(Vec<Option<FigureHead>>),
    /// To [`Request::Models`].
    Loaded,
    /// To [`Request::Recognise`]; the page's content is in the frame's bytes, as JSON.
    Recognised(OcrQuality),
    /// Instead of any other.
    Failed(Failure),
}

/// Figures without their files, and these one after the other.
pub(super) fn packed(figures: Vec<Option<FigureImage>>) -> (Vec<Option<FigureHead>>, Vec<u8>) {
    let mut files = Vec::new();
    let mut pack = |FigureImage { kind, width, height, bytes }: FigureImage| {
        files.extend(&bytes);
        FigureHead { kind, width, height, bytes: bytes.len() }
    };
    let heads = figures.into_iter().map(|figure| figure.map(&mut pack)).collect();
    (heads, files)
}

/// The same figures again; `None` when there are fewer bytes than these say.
pub(super) fn unpacked(heads: Vec<Option<FigureHead>>, mut files: &[u8]) -> Option<Vec<Option<FigureImage>>> {
    let mut figures = Vec::with_capacity(heads.len());
    for head in heads {
        let Some(FigureHead { kind, width, height, bytes }) = head else {
            figures.push(None);
            continue;
        };
        let (file, rest) = files.split_at_checked(bytes)?;
        files = rest;
        figures.push(Some(FigureImage { kind, width, height, bytes: file.to_vec() }));
    }
    Some(figures)
}

/// Sends a frame.
pub(super) fn send(mut stream: &UnixStream, head: &impl Serialize, bytes: &[u8]) -> io::Result<()> {
    let json = serde_json::to_vec(head)?;
    let length = |part: &[u8]| u32::try_from(part.len()).ok().filter(|length| *length <= MAX_FRAME);
    let (Some(head_length), Some(bytes_length)) = (length(&json), length(bytes)) else {
        return Err(io::ErrorKind::FileTooLarge.into());
    };
    let mut frame = Vec::with_capacity(8 + json.len() + bytes.len());
    frame.extend(head_length.to_le_bytes());
    frame.extend(bytes_length.to_le_bytes());
    frame.extend(json);
    frame.extend(bytes);
    stream.write_all(&frame)
}

/// Receives a frame. `read_exact` decides how long to wait for the bytes.
pub(super) fn receive<T: DeserializeOwned>(
    mut read_exact: impl FnMut(&mut [u8]) -> io::Result<()>,
) -> io::Result<(T, Vec<u8>)> {
    let mut lengths = [[0; 4]; 2];
    read_exact(lengths.as_flattened_mut())?;
    let mut part = |length: [u8; 4]| {
        let length = u32::from_le_bytes(length);
        if length > MAX_FRAME {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        let mut bytes = vec![0; length as usize];
        read_exact(&mut bytes)?;
        Ok(bytes)
    };
    let [json, bytes] = lengths;
    let (json, bytes) = (part(json)?, part(bytes)?);
    Ok((serde_json::from_slice(&json)?, bytes))
}

/// Sends a descriptor.
pub(super) fn send_file(stream: &UnixStream, file: &File) -> io::Result<()> {
    let files = [file.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&files));
    rustix::net::sendmsg(stream, &[IoSlice::new(&[0])], &mut control, SendFlags::empty())?;
    Ok(())
}

/// Receives a descriptor.
pub(super) fn receive_file(stream: &UnixStream) -> io::Result<File> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    rustix::net::recvmsg(stream, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let files = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => Some(files),
        _ => None,
    });
    let file: Option<OwnedFd> = files.flatten().next();
    file.map(File::from).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use super::*;

    #[test]
    fn frames_and_files_arrive_in_order() {
        let (here, there) = UnixStream::pair().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"%PDF").unwrap();
        file.rewind().unwrap();
        send(&here, &Request::Open { password: Some("ü".into()) }, b"").unwrap();
        send_file(&here, &file).unwrap();
        send(&here, &Request::Text { page: 7, options: TextOptions::default() }, b"\0\xff").unwrap();

        let read = |buffer: &mut [u8]| (&there).read_exact(buffer);
        let (open, none): (Request, _) = receive(read).unwrap();
        assert!(matches!(open, Request::Open { password: Some(p) } if p == "ü") && none.is_empty());
        let mut text = String::new();
        receive_file(&there).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "%PDF");
        let (text, bytes): (Request, _) = receive(read).unwrap();
        assert!(matches!(text, Request::Text { page: 7, .. }) && bytes == b"\0\xff");
    }

    #[test]
    fn figures_come_out_of_their_frame_as_they_went_in() {
        let figure = |bytes: &[u8]| FigureImage { kind: ImageKind::Png, width: 3, height: 2, bytes: bytes.to_vec() };
        let figures = vec![Some(figure(b"one")), None, Some(figure(b"")), Some(figure(b"three"))];
        let (heads, files) = packed(figures.clone());
        let json = serde_json::to_vec(&heads).unwrap();
        let heads = || serde_json::from_slice::<Vec<Option<FigureHead>>>(&json).unwrap();
        assert!(unpacked(heads(), &files).unwrap() == figures);
        assert!(unpacked(heads(), &files[1..]).is_none(), "bytes are missing");
    }

    #[test]
    fn a_frame_that_claims_too_much_is_refused_before_memory_is_taken() {
        let mut claim: &[u8] = &[255; 8];
        let error = receive::<Answer>(|buffer| claim.read_exact(buffer)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
