//! Writes pages of a PDF as pictures: `pictures FILE FOLDER PASSWORD PAGE…`. `tests/compare.py` looks at them.

use std::path::Path;

use bindery::document::{Document, DocumentLimits, ImageOptions};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, folder, password, pages @ ..] = &arguments[..] else {
        anyhow::bail!("pictures FILE FOLDER PASSWORD PAGE…");
    };
    let password = Some(password.as_str()).filter(|password| !password.is_empty());
    let document = Document::open(Path::new(file), password, &DocumentLimits::default())?;
    let mut reader = document.reader();
    for page in pages {
        // What cannot be rendered leaves no file.
        if let Ok(image) = reader.image(page.parse()?, &ImageOptions::default()) {
            std::fs::write(Path::new(folder).join(page), image.bytes)?;
        }
    }
    Ok(())
}
