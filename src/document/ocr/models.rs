//! The files of the models: which they are, where they are looked for, and whether they are what they should be.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// A file that recognising text takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelFile {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// How large it is, bytes.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: &'static str,
}

/// All of them: detector, recogniser. The PyPI wheel of rapidocr 3.10.0 holds these files.
pub const MODEL_FILES: [ModelFile; 2] = [
    ModelFile {
        name: "PP-OCRv6_det_small.onnx",
        purpose: "finds lines of text",
        bytes: 9_929_594,
        sha256: "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
    },
    ModelFile {
        name: "PP-OCRv6_rec_small.onnx",
        purpose: "reads them",
        bytes: 21_234_383,
        sha256: "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
    },
];

/// Whose they are, and on what terms.
pub const LICENCE: &str = "Apache License 2.0, © PaddlePaddle authors (Baidu)";

impl ModelFile {
    /// Whether these are its bytes.
    #[must_use]
    pub fn is(&self, bytes: &[u8]) -> bool {
        bytes.len() as u64 == self.bytes && hex(&Sha256::digest(bytes)) == self.sha256
    }
}

/// A folder that holds the models. Their bytes are looked at when they are loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcrModels {
    folder: PathBuf,
}

impl OcrModels {
    /// The first of these folders that has all files; `None` also in a program that was built without OCR.
    #[must_use]
    pub fn find(folders: &[PathBuf]) -> Option<Self> {
        let has = |folder: &Path, file: &ModelFile| {
            folder.join(file.name).metadata().is_ok_and(|there| there.is_file() && there.len() == file.bytes)
        };
        let found = folders.iter().find(|folder| MODEL_FILES.iter().all(|file| has(folder, file)));
        found.filter(|_| cfg!(feature = "ocr")).map(|folder| Self { folder: folder.clone() })
    }

    /// Where they are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What they are, in the recipes of pages: other models read otherwise.
    #[must_use]
    pub fn checksum() -> String {
        MODEL_FILES.map(|file| &file.sha256[..16]).join("-")
    }

    /// Their files, for a process that may open none.
    ///
    /// # Errors
    /// When one is not there any more.
    pub(in crate::document) fn open(&self) -> io::Result<[File; 2]> {
        let [detector, recogniser] = MODEL_FILES.map(|file| File::open(self.folder.join(file.name)));
        Ok([detector?, recogniser?])
    }
}

/// The bytes of both files.
///
/// # Errors
/// A sentence, when they are others.
#[cfg(feature = "ocr")]
pub(super) fn verified(files: [File; 2]) -> Result<[Vec<u8>; 2], String> {
    use std::io::Read;

    let read = |(file, known): (File, ModelFile)| {
        let mut bytes = Vec::new();
        file.take(known.bytes + 1).read_to_end(&mut bytes).map_err(|error| format!("{}: {error}", known.name))?;
        if known.is(&bytes) { Ok(bytes) } else { Err(format!("{} is not the file that it should be", known.name)) }
    };
    let [detector, recogniser] = files;
    Ok([read((detector, MODEL_FILES[0]))?, read((recogniser, MODEL_FILES[1]))?])
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_with_all_files_counts() {
        let dir = tempfile::tempdir().unwrap();
        let [none, half, all] = ["none", "half", "all"].map(|name| dir.path().join(name));
        for (folder, files) in [(&half, &MODEL_FILES[..1]), (&all, &MODEL_FILES[..])] {
            std::fs::create_dir(folder).unwrap();
            for file in files {
                File::create(folder.join(file.name)).unwrap().set_len(file.bytes).unwrap();
            }
        }
        let found = OcrModels::find(&[none.clone(), half.clone(), all.clone()]);
        assert_eq!(found.as_ref().map(OcrModels::folder), Some(all.as_path()).filter(|_| cfg!(feature = "ocr")));
        assert_eq!(OcrModels::find(&[none, half]), None);
        assert!(!MODEL_FILES[0].is(b"other bytes"));
    }

    #[test]
    #[cfg(feature = "ocr")]
    fn other_bytes_are_not_loaded() {
        let files = MODEL_FILES.map(|file| {
            let other = tempfile::tempfile().unwrap();
            other.set_len(file.bytes).unwrap();
            other
        });
        assert_eq!(verified(files).unwrap_err(), "PP-OCRv6_det_small.onnx is not the file that it should be");
    }
}
