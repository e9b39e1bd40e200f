//! Opens what a password locks, and says why something stays shut.

use std::borrow::Cow;
use std::sync::Arc;

use hayro_syntax::{DecryptionError, LoadPdfError, Pdf};
use lopdf::{Document, LoadOptions, Object, Writer};
use memchr::memmem;
use memmap2::Mmap;

use crate::task::{Failure, code};

/// Opens a PDF with the password of its user or owner. What asks for none opens with any.
///
/// # Errors
/// `pdf_encrypted`, `pdf_damaged`.
pub(super) fn open(file: &Arc<Mmap>, password: Option<&str>) -> Result<Pdf, Failure> {
    let error = match (Pdf::new_with_password(Arc::clone(file), password.unwrap_or_default()), password) {
        (Ok(pdf), _) => return Ok(pdf),
        (Err(error), None) => error,
        (Err(error), Some(password)) => {
            // Where a cross-reference table is rebuilt, only the password that is given is tried.
            let opened = match error {
                LoadPdfError::Decryption(_) => unlocked(file, password).and_then(|bytes| Pdf::new(bytes).ok()),
                LoadPdfError::Invalid => Pdf::new(Arc::clone(file)).ok(),
            };
            match opened {
                Some(pdf) => return Ok(pdf),
                None => error,
            }
        }
    };
    let is_locked = || memmem::find(file, b"/Encrypt").is_some() && memmem::find(file, b"/Standard").is_some();
    Err(match error {
        // What is locked and damaged shows no pages to who has no key.
        LoadPdfError::Invalid if is_locked() => shut(password.is_some()),
        error => refusal(error, password.is_some()),
    })
}

/// The file without its lock, by way of the other parser: it knows owner passwords and ways of locking that this one
/// does not. It takes the whole file into memory, so it comes second.
fn unlocked(locked: &[u8], password: &str) -> Option<Vec<u8>> {
    let locked = with_own_lock(locked);
    let mut pdf = Document::load_mem_with_options(&locked, LoadOptions::with_password(password)).ok()?;
    let mut bytes = Vec::new();
    (!pdf.is_encrypted()).then(|| pdf.save_to(&mut bytes).ok())??;
    Some(bytes)
}

/// A file whose encryption dictionary stands in its trailer, which it may (PDF 32000-1, table 15), with that as an object of
/// its own, appended as an update (7.5.6): lopdf knows no others.
pub(super) fn with_own_lock(file: &[u8]) -> Cow<'_, [u8]> {
    own_lock(file).map_or(Cow::Borrowed(file), Cow::Owned)
}

fn own_lock(file: &[u8]) -> Option<Vec<u8>> {
    // Without a password it reads no more than the trailer of a locked file.
    let shell = memmem::find(file, b"/Encrypt").and_then(|_| Document::load_mem(file).ok())?;
    let mut trailer = shell.trailer;
    let lock = Object::Dictionary(trailer.get(b"Encrypt").ok()?.as_dict().ok()?.clone());
    let number = u32::try_from(trailer.get(b"Size").ok()?.as_i64().ok()?).ok()?.max(shell.max_id + 1);
    trailer.set("Encrypt", (number, 0));
    trailer.set("Size", i64::from(number) + 1);
    trailer.set("Prev", i64::try_from(shell.xref_start).ok()?);
    let mut update = file.to_vec();
    update.push(b'\n');
    let object = update.len();
    update.extend(format!("{number} 0 obj\n").bytes());
    Writer::write_object(&mut update, &lock).ok()?;
    update.extend(b"\nendobj\n");
    let table = update.len();
    update.extend(format!("xref\n{number} 1\n{object:010} 00000 n \ntrailer\n").bytes());
    Writer::write_object(&mut update, &Object::Dictionary(trailer)).ok()?;
    update.extend(format!("\nstartxref\n{table}\n%%EOF\n").bytes());
    Some(update)
}

/// Why a file is not opened.
pub(super) fn refusal(error: LoadPdfError, password_given: bool) -> Failure {
    match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => shut(password_given),
        LoadPdfError::Decryption(_) => {
            Failure::permanent(code::PDF_ENCRYPTED, "the PDF is encrypted in a way that cannot be read")
        }
        LoadPdfError::Invalid => {
            Failure::permanent(code::PDF_DAMAGED, "the PDF is damaged beyond repair: it has no readable pages")
        }
    }
}

fn shut(password_given: bool) -> Failure {
    let message =
        if password_given { "the password does not open this PDF" } else { "the PDF is encrypted: give its password" };
    Failure::permanent(code::PDF_ENCRYPTED, message)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use lopdf::{EncryptionState, EncryptionVersion, Permissions, Stream, dictionary};

    use super::*;

    const OWNER: &str = "ledger";
    const USER: &str = "quire";

    /// A page whose content says `Bound.`, locked.
    fn locked(key_length: Option<usize>) -> Document {
        let mut pdf = Document::with_version("1.4");
        let content = pdf.add_object(Stream::new(dictionary! {}, b"BT (Bound.) Tj ET".to_vec()));
        let sides = [0, 0, 9, 9].map(Object::from).to_vec();
        let page = pdf.add_object(dictionary! { "Type" => "Page", "MediaBox" => sides, "Contents" => content });
        let pages = pdf.add_object(dictionary! { "Type" => "Pages", "Kids" => vec![page.into()], "Count" => 1 });
        let root = pdf.add_object(dictionary! { "Type" => "Catalog", "Pages" => pages });
        let id = || Object::string_literal("0123456789abcdef");
        pdf.trailer = dictionary! { "Root" => root, "ID" => vec![id(), id()] };
        let (document, permissions) = (&pdf, Permissions::all());
        let version = match key_length {
            None => EncryptionVersion::V1 { document, owner_password: OWNER, user_password: USER, permissions },
            Some(key_length) => {
                EncryptionVersion::V2 { document, owner_password: OWNER, user_password: USER, key_length, permissions }
            }
        };
        let state = EncryptionState::try_from(version).unwrap();
        pdf.encrypt(&state).unwrap();
        pdf
    }

    /// The same with its encryption dictionary in its trailer.
    fn with_lock_in_trailer(mut pdf: Document) -> Vec<u8> {
        let lock = pdf.get_encrypted().unwrap().clone();
        pdf.trailer.set("Encrypt", lock);
        saved(pdf)
    }

    fn saved(mut pdf: Document) -> Vec<u8> {
        let mut bytes = Vec::new();
        pdf.save_to(&mut bytes).unwrap();
        bytes
    }

    fn opened(bytes: &[u8], password: Option<&str>) -> Result<String, String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        #[allow(unsafe_code, reason = "the file has no other user")]
        let map = Arc::new(unsafe { Mmap::map(&file) }.unwrap());
        let pdf = open(&map, password).map_err(|why| why.message)?;
        let content = pdf.pages()[0].page_stream().unwrap_or_default();
        Ok(String::from_utf8_lossy(content).trim().to_owned())
    }

    #[test]
    fn either_password_opens_wherever_the_encryption_dictionary_stands() {
        for key_length in [None, Some(40), Some(128)] {
            for bytes in [saved(locked(key_length)), with_lock_in_trailer(locked(key_length))] {
                for password in [OWNER, USER] {
                    assert_eq!(
                        opened(&bytes, Some(password)).unwrap(),
                        "BT (Bound.) Tj ET",
                        "{key_length:?} {password}"
                    );
                }
                assert_eq!(opened(&bytes, Some("vellum")).unwrap_err(), "the password does not open this PDF");
                assert_eq!(opened(&bytes, None).unwrap_err(), "the PDF is encrypted: give its password");
            }
        }
    }

    #[test]
    fn a_locked_file_whose_table_is_lost_asks_for_its_password() {
        let mut bytes = saved(locked(Some(128)));
        let at = memmem::rfind(&bytes, b"startxref\n").unwrap() + "startxref\n".len();
        bytes[at..at + 2].fill(b'9');
        assert_eq!(opened(&bytes, Some(USER)).unwrap(), "BT (Bound.) Tj ET");
        assert_eq!(opened(&bytes, Some("vellum")).unwrap_err(), "the password does not open this PDF");
        assert_eq!(opened(&bytes, None).unwrap_err(), "the PDF is encrypted: give its password");
    }
}
