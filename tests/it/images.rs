//! Figures: found on pages, written as files, served, and gone with their task.

use std::fs;
use std::path::Path;
use std::process::Output;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bindery::task::{ImageKind, ImageName};
use jpeg_encoder::{ColorType, Encoder};
use lopdf::{Document, Object, Stream, dictionary};
use serde_json::{Value, json};

use crate::support::canary::files_with;
use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::book;
use crate::support::server::{Server, answer, files, run};

/// Stands in the JPEG and nowhere else.
const CANARY: &str = "Xylophagous-in-a-picture";

/// A photograph: noise, with a comment in its file.
fn photograph(orientation: Option<u8>) -> Vec<u8> {
    let pixels: Vec<u8> =
        (0..120_u32 * 90).flat_map(|at| [at * 7, at * 13, at * 29].map(|of| (of % 251) as u8)).collect();
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 80);
    let exif = orientation
        .map(|of| [&b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"[..], &[of, 0, 0, 0, 0, 0, 0, 0]].concat());
    exif.into_iter().for_each(|exif| encoder.add_app_segment(1, exif).unwrap());
    encoder.encode(&pixels, 120, 90, ColorType::Rgb).unwrap();
    let comment = [&[0xff, 0xfe, 0, u8::try_from(CANARY.len() + 2).unwrap()], CANARY.as_bytes()].concat();
    bytes.splice(2..2, comment);
    bytes
}

fn jpeg_object(bytes: Vec<u8>) -> Stream {
    let dict = dictionary! {
        "Type" => "XObject", "Subtype" => "Image", "Width" => 120, "Height" => 90, "BitsPerComponent" => 8,
        "ColorSpace" => "DeviceRGB", "Filter" => "DCTDecode",
    };
    Stream::new(dict, bytes).with_compression(false)
}

/// Puts content and pictures on a page that says something else so far.
fn draw(pdf: &mut Document, page: u32, content: &str, pictures: &[(&str, Stream)]) {
    let page = pdf.get_pages()[&page];
    let font = dictionary! { "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Helvetica", "Encoding" => "WinAnsiEncoding" };
    let mut objects = lopdf::Dictionary::new();
    for (name, picture) in pictures {
        let id = pdf.add_object(picture.clone());
        objects.set(*name, Object::Reference(id));
    }
    let resources = dictionary! { "Font" => dictionary! { "F1" => font }, "XObject" => objects };
    pdf.get_dictionary_mut(page).unwrap().set("Resources", resources);
    pdf.change_page_content(page, content.as_bytes().to_vec()).unwrap();
}

fn saved(mut pdf: Document) -> Vec<u8> {
    let mut bytes = Vec::new();
    pdf.save_to(&mut bytes).unwrap();
    bytes
}

fn text(at: u32, said: &str) -> String {
    format!("BT /F1 12 Tf 72 {at} Td ({said}) Tj ET ")
}

/// A strip of a drawing: 40 by 10 pixels in black and white.
fn strip(y: u32) -> String {
    let hex: String = (0..400_u32).map(|at| if (at / 3 + y).is_multiple_of(4) { "00" } else { "ff" }).collect();
    format!("q 240 0 0 20 72 {y} cm BI /W 40 /H 10 /BPC 8 /CS /G /F /AHx ID {hex}> EI Q ")
}

/// Of its three pages the first has a photograph with a caption, the second a picture in strips with a label on it, the last none.
fn illustrated() -> Vec<u8> {
    let mut pdf = Document::load_mem(&book("Illustrated", 3)).unwrap();
    let photo = "q 240 0 0 180 72 400 cm /P Do Q ";
    let first =
        [&text(740, "Above the lock."), photo, &text(385, "Figure 1: The lock [gate]."), &text(340, "Below the lock.")];
    draw(&mut pdf, 1, &first.concat(), &[("P", jpeg_object(photograph(None)))]);
    let strips: String = (0..8).map(|at| strip(400 + at * 20)).collect();
    let second = [text(740, "Before the plan."), strips, text(500, "A label"), text(300, "After the plan.")];
    draw(&mut pdf, 2, &second.concat(), &[]);
    saved(pdf)
}

async fn convert(dir: &Path, arguments: &[&str]) -> Output {
    let pdf = dir.join("a b.pdf");
    if !pdf.exists() {
        fs::write(&pdf, illustrated()).unwrap();
    }
    let input = [&["convert", "--processor", "text", pdf.to_str().unwrap()], arguments].concat();
    run(&dir.join("data"), input).await
}

fn shown(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The first link to a picture that ends so.
fn link<'m>(markdown: &'m str, ending: &str) -> &'m str {
    let links = markdown.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    links.into_iter().find(|link| link.ends_with(ending)).unwrap_or_else(|| panic!("no {ending} in {markdown}"))
}

#[tokio::test]
async fn figures_stand_at_their_places_in_the_form_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let first = "Above the lock.\n\n<!-- image -->\n\nFigure 1: The lock [gate].\n\nBelow the lock.";
    let usual = String::from_utf8(convert(dir.path(), &[]).await.stdout).unwrap();
    assert!(usual.contains(first), "{usual}");
    let second = "Before the plan.\n\n<!-- image -->\n\nA label\n\nAfter the plan.";
    assert!(usual.contains(second), "{usual}");
    let none = String::from_utf8(convert(dir.path(), &["--images", "none"]).await.stdout).unwrap();
    assert_eq!(none, usual.replace("<!-- image -->\n\n", ""));
    let json = convert(dir.path(), &["--images", "none", "--json"]).await.stdout;
    let pages: Value = serde_json::from_slice(&json).unwrap();
    let figure = &pages[0]["blocks"][1];
    assert_eq!(
        (&figure["kind"], &figure["caption"]),
        (&"figure".into(), &"Figure 1: The lock [gate].".into()),
        "{pages}"
    );
    let expected = [72.0 / 595.0, (842.0 - 580.0) / 842.0, 312.0 / 595.0, (842.0 - 400.0) / 842.0];
    for (at, side) in expected.into_iter().enumerate() {
        assert!((figure["bbox"][at].as_f64().unwrap() - side).abs() < 1e-3, "{figure}");
    }
    assert!(figure["image"].is_null() && pages[0]["images"].is_null(), "{pages}");
    let text = String::from_utf8(convert(dir.path(), &["--format", "text"]).await.stdout).unwrap();
    assert!(text.contains("Above the lock.\n\nFigure 1: The lock [gate].\n\nBelow the lock."), "{text}");
    let chunks = String::from_utf8(convert(dir.path(), &["--format", "chunks"]).await.stdout).unwrap();
    assert!(chunks.contains("\"kind\":\"figure\"") && chunks.contains("Figure 1: The lock [gate]."), "{chunks}");
}

#[tokio::test]
async fn figures_are_files_beside_the_result() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("my out.md");
    let done = convert(dir.path(), &["-o", out.to_str().unwrap(), "--images", "extract"]).await;
    assert_eq!(done.status.code(), Some(0), "{}", shown(&done));
    let folder = dir.path().join("my out_images");
    let markdown = fs::read_to_string(&out).unwrap();
    let photo = ImageName::of(&photograph(None), ImageKind::Jpeg);
    // The file of the PDF, as it is; and a link that leads to it, with what stands below the figure.
    assert!(markdown.contains(&format!("![Figure 1: The lock \\[gate\\].](my%20out_images/{photo})")), "{markdown}");
    assert_eq!(fs::read(folder.join(photo.as_str())).unwrap(), photograph(None));
    // Strips are one picture, with what is drawn on it.
    let plan = link(&markdown, ".png").strip_prefix("my%20out_images/").unwrap();
    let png = png::Decoder::new(std::io::Cursor::new(fs::read(folder.join(plan)).unwrap())).read_info().unwrap();
    assert_eq!((png.info().width, png.info().height), (500, 333), "240 by 160 points, as fine as its label needs");
    assert_eq!(names(&folder).len(), 2);
    // Again: what is there stays as it is, what others have put there, too.
    let before = fs::metadata(folder.join(plan)).unwrap().modified().unwrap();
    fs::write(folder.join("notes.txt"), "theirs").unwrap();
    fs::write(folder.join(photo.as_str()), "torn").unwrap();
    let html = dir.path().join("my out.html");
    let done = convert(dir.path(), &["-o", html.to_str().unwrap(), "--images", "extract"]).await;
    assert_eq!(done.status.code(), Some(0), "{}", shown(&done));
    assert_eq!(fs::metadata(folder.join(plan)).unwrap().modified().unwrap(), before);
    assert_eq!(fs::read(folder.join(photo.as_str())).unwrap(), photograph(None), "a torn one is whole again");
    assert_eq!(fs::read_to_string(folder.join("notes.txt")).unwrap(), "theirs");
    let html = fs::read_to_string(html).unwrap();
    assert!(html.contains(&format!("<img src=\"my%20out_images/{photo}\"")), "{html}");
    // In a folder of results each has its own; figures are no documents there.
    let results = dir.path().join("results");
    let all = ["--out-dir", results.to_str().unwrap(), "--images", "extract"];
    assert_eq!(convert(dir.path(), &all).await.status.code(), Some(0));
    assert_eq!(names(&results), ["a b.md", "a b_images"]);
    assert_eq!(names(&results.join("a b_images")).len(), 2);
    let again = run(&dir.path().join("data"), ["convert", results.to_str().unwrap(), "--out-dir", "x"]).await;
    assert_eq!(again.status.code(), Some(2), "{}", shown(&again));
    assert!(shown(&again).contains("no PDF and no picture"), "{}", shown(&again));
}

#[tokio::test]
async fn figures_need_a_place() {
    let dir = tempfile::tempdir().unwrap();
    for (place, why) in [
        (&[][..], "--images extract needs -o or --out-dir"),
        (&["-o", "/dev/null"], "is no file that figures could go beside"),
    ] {
        let done = convert(dir.path(), &[place, &["--images", "extract"]].concat()).await;
        assert_eq!((done.status.code(), done.stdout.len()), (Some(2), 0), "{place:?}");
        assert!(shown(&done).contains(why), "{}", shown(&done));
    }
    // Something else stands where the folder would.
    fs::write(dir.path().join("out_images"), "theirs").unwrap();
    let out = dir.path().join("out.md");
    let done = convert(dir.path(), &["-o", out.to_str().unwrap(), "--images", "extract"]).await;
    assert_eq!(done.status.code(), Some(1));
    assert!(shown(&done).contains("out_images") && !out.exists(), "{}", shown(&done));
    assert_eq!(fs::read_to_string(dir.path().join("out_images")).unwrap(), "theirs");
}

#[tokio::test]
async fn a_jpeg_that_programs_would_show_otherwise_is_drawn() {
    let dir = tempfile::tempdir().unwrap();
    let upright = "240 0 0 180 72 400 cm";
    let turned = jpeg_object(photograph(Some(6)));
    let mut inverted = jpeg_object(photograph(None));
    inverted.dict.set("Decode", [1, 0, 1, 0, 1, 0].map(Object::from).to_vec());
    let cases = [
        ("as it is", upright, "", jpeg_object(photograph(None)), true),
        ("mirrored", "-240 0 0 180 312 400 cm", "", jpeg_object(photograph(None)), false),
        ("cut off", upright, "72 400 100 100 re W n", jpeg_object(photograph(None)), false),
        ("turned by its camera", upright, "", turned, false),
        ("inverted", upright, "", inverted, false),
    ];
    for (what, place, clip, photo, is_same) in cases {
        let mut pdf = Document::load_mem(&book(what, 1)).unwrap();
        let content = format!("{} q {clip} {place} /P Do Q", text(740, what));
        draw(&mut pdf, 1, &content, &[("P", photo)]);
        let file = dir.path().join(format!("{what}.pdf"));
        fs::write(&file, saved(pdf)).unwrap();
        let out = dir.path().join(format!("{what}.md"));
        let arguments = ["convert", file.to_str().unwrap(), "--images", "extract", "-o", out.to_str().unwrap()];
        let done = run(&dir.path().join("data"), arguments).await;
        assert_eq!(done.status.code(), Some(0), "{what}: {}", shown(&done));
        let folder = dir.path().join(format!("{what}_images"));
        let bytes = fs::read(folder.join(&names(&folder)[0])).unwrap();
        let has_canary = memchr::memmem::find(&bytes, CANARY.as_bytes()).is_some();
        assert_eq!((names(&folder).len(), has_canary), (1, is_same), "{what}");
    }
}

/// All files of figures that a server has.
fn image_files(server: &Server) -> Vec<String> {
    let is_image = |file: &String| {
        let name = file.rsplit(['-', '/']).next().unwrap_or_default();
        name.parse::<ImageName>().is_ok()
    };
    files(server.data()).into_iter().filter(is_image).collect()
}

/// The images that the pages of a task name.
async fn images(server: &Server, id: &str) -> Vec<Value> {
    let pages = server.get(&format!("/v1/tasks/{id}/pages")).await["pages"].take();
    pages.as_array().unwrap().iter().flat_map(|page| page["images"].as_array().cloned().unwrap_or_default()).collect()
}

#[tokio::test]
async fn figures_are_served_with_their_task_and_go_with_it() {
    let server = Server::start(&[]).await;
    let id = server.accepted(illustrated(), "images=extract&processor=text").await;
    server.finished(&id).await;
    let markdown = server.markdown(&id).await;
    let named = images(&server, &id).await;
    let photo = ImageName::of(&photograph(None), ImageKind::Jpeg);
    assert_eq!(named.len(), 2, "{named:?}");
    let first = &named[0];
    assert_eq!(
        (&first["name"], &first["page"], &first["mime"]),
        (&photo.as_str().into(), &1.into(), &"image/jpeg".into())
    );
    assert_eq!((&first["width"], &first["height"]), (&120.into(), &90.into()));
    assert_eq!(first["caption"], "Figure 1: The lock [gate].");
    assert_eq!((&named[1]["page"], &named[1]["mime"]), (&2.into(), &"image/png".into()));
    // The link in the result leads from there to the figure.
    let link = link(&markdown, ".jpg");
    assert_eq!(link, format!("images/{photo}"));
    let path = format!("/v1/tasks/{id}/{link}");
    let response = server.request("GET", &path).send().await.unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((response.status().as_u16(), header("content-type").as_str()), (200, "image/jpeg"));
    assert!(header("cache-control").contains("immutable") && header("x-content-type-options") == "nosniff");
    let tag = header("etag");
    assert_eq!(response.bytes().await.unwrap(), photograph(None));
    let again = server.request("GET", &path).header("if-none-match", tag).send().await.unwrap();
    assert_eq!(again.status(), 304);
    for wrong in [
        "0123456789abcdef0123456789abcdef.png",
        "source.pdf",
        "..%2Fsource.pdf",
        "..%2f..%2f..%2ftasks.redb",
        "%2Fetc%2Fpasswd",
        &photo.as_str().replace(".jpg", ".png"),
        &photo.as_str().to_uppercase(),
    ] {
        let (status, problem) = server.ask("GET", &format!("/v1/tasks/{id}/images/{wrong}")).await;
        assert_eq!((status, &problem["code"]), (404, &"image_not_found".into()), "{wrong}: {problem}");
    }
    let html = server.request("GET", &format!("/v1/tasks/{id}/pages/1/html")).send().await.unwrap();
    assert!(html.text().await.unwrap().contains(&format!("<img src=\"../../images/{photo}\"")));
    // Another task of the same pages has them, too, from the ledger.
    let other = server.accepted(illustrated(), "images=extract&processor=text&page_separator=").await;
    assert_eq!(server.finished(&other).await["usage"]["reused"], 3);
    assert_eq!(images(&server, &other).await, named);
    // And the command that waits for a task writes them beside its result.
    let dir = tempfile::tempdir().unwrap();
    let (pdf, out) = (dir.path().join("x.pdf"), dir.path().join("out.md"));
    fs::write(&pdf, illustrated()).unwrap();
    let (pdf, file) = (pdf.to_str().unwrap(), out.to_str().unwrap());
    let submitted =
        run(&dir.path().join("data"), ["submit", pdf, "-o", file, "--images", "extract", "--server", &server.url])
            .await;
    assert_eq!(submitted.status.code(), Some(0), "{}", shown(&submitted));
    assert!(fs::read_to_string(&out).unwrap().contains(&format!("](out_images/{photo})")));
    assert_eq!(fs::read(dir.path().join("out_images").join(photo.as_str())).unwrap(), photograph(None));
    let other_file = dir.path().join("again.html");
    let result =
        run(&dir.path().join("data"), ["result", &id, "-o", other_file.to_str().unwrap(), "--server", &server.url])
            .await;
    assert_eq!(result.status.code(), Some(0), "{}", shown(&result));
    assert!(fs::read_to_string(&other_file).unwrap().contains(&format!("src=\"again_images/{photo}\"")));
    assert_eq!(names(&dir.path().join("again_images")).len(), 2);

    assert_eq!(server.ask("DELETE", &format!("/v1/tasks/{id}")).await.0, 204);
    assert_eq!(server.ask("GET", &path).await.0, 404);
    let left = files(server.data());
    assert!(!left.iter().any(|file| file.starts_with(&format!("tasks/{id}"))), "{left:?}");
}

#[tokio::test]
async fn nobody_sees_anothers_figures() {
    let server = Server::start(&["--api-key", "ann=ann-has-this-key", "--api-key", "bob=bob-has-this-key"]).await;
    let submit = server.request("POST", "/v1/tasks?images=extract").bearer_auth("ann-has-this-key");
    let (_, task) = answer(submit.header("content-type", "application/pdf").body(illustrated())).await;
    let wait = format!("/v1/tasks/{}?wait=55", task["id"].as_str().unwrap());
    assert_eq!(answer(server.request("GET", &wait).bearer_auth("ann-has-this-key")).await.1["status"], "completed");
    let photo = ImageName::of(&photograph(None), ImageKind::Jpeg);
    let path = format!("/v1/tasks/{}/images/{photo}", task["id"].as_str().unwrap());
    for (key, status) in [("ann-has-this-key", 200), ("bob-has-this-key", 404), ("another", 401)] {
        assert_eq!(answer(server.request("GET", &path).bearer_auth(key)).await.0, status, "{key}");
    }
}

#[tokio::test]
async fn no_figure_is_left_of_what_is_purged() {
    let server = Server::start(&[]).await;
    let id = server.accepted(illustrated(), "images=extract&processor=text").await;
    server.finished(&id).await;
    let found = files_with(server.data(), CANARY);
    for place in ["ledger/", "source.pdf", "image-"] {
        assert!(found.iter().any(|file| file.contains(place)), "{place}: {found:?}");
    }
    assert_eq!(server.ask("DELETE", &format!("/v1/tasks/{id}?purge=true")).await.0, 204);
    assert_eq!(files_with(server.data(), CANARY), Vec::<String>::new());
    assert_eq!(image_files(&server), Vec::<String>::new());
}

#[tokio::test]
async fn a_figure_that_is_lost_or_damaged_is_never_served_and_made_again() {
    let server = Server::start(&[]).await;
    let id = server.accepted(illustrated(), "images=extract&processor=text").await;
    server.finished(&id).await;
    let photo = ImageName::of(&photograph(None), ImageKind::Jpeg);
    let path = format!("/v1/tasks/{id}/images/{photo}");
    let file = server.data().join(format!("tasks/{id}/image-{photo}"));
    // As long as it was, in the ledger and with the task, which have it in common where the file system can do that.
    let mut bytes = photograph(None);
    bytes[200] ^= 1;
    let kept = image_files(&server)
        .into_iter()
        .find(|file| file.starts_with("ledger/") && file.contains(photo.as_str()))
        .unwrap();
    for file in [&file, &server.data().join(&kept)] {
        fs::write(file, &bytes).unwrap();
    }
    let (status, problem) = server.ask("GET", &path).await;
    assert_eq!((status, &problem["code"]), (409, &"result_damaged".into()), "{problem}");
    assert_eq!(server.ask("POST", &format!("/v1/tasks/{id}/retry")).await.0, 202);
    assert_eq!(server.finished(&id).await["status"], "completed");
    assert_eq!(server.request("GET", &path).send().await.unwrap().bytes().await.unwrap(), photograph(None));
    // What the ledger has lost is read again for the next task.
    fs::remove_file(server.data().join(kept)).unwrap();
    let next = server.accepted(illustrated(), "images=extract&processor=text&reuse=false").await;
    assert_eq!(server.finished(&next).await["usage"]["reused"], 2, "the page without its figure was read again");
    assert_eq!(images(&server, &next).await.len(), 2);
    let path = format!("/v1/tasks/{next}/images/{photo}");
    assert_eq!(server.request("GET", &path).send().await.unwrap().bytes().await.unwrap(), photograph(None));
}

#[tokio::test]
async fn a_kill_loses_no_figure() {
    let llm = FakeLlm::start(Script::default().page(4, [Answer::Hold]));
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m"];
    let mut server = Server::start(&arguments).await;
    let mut pdf = Document::load_mem(&book("Killed", 4)).unwrap();
    let photo = "q 240 0 0 180 72 400 cm /P Do Q ";
    draw(
        &mut pdf,
        1,
        &[&text(740, "Some words of text on a page"), photo].concat(),
        &[("P", jpeg_object(photograph(None)))],
    );
    draw(&mut pdf, 4, "q 595 0 0 842 0 0 cm BI /W 2 /H 2 /BPC 8 /CS /G ID \x10\x50\x70\x20 EI Q", &[]);
    let id = server.accepted(saved(pdf), "images=extract&processor=auto&input=image").await;
    llm.until(|books| books.held == 1).await;
    let name = ImageName::of(&photograph(None), ImageKind::Jpeg);
    let path = format!("/v1/tasks/{id}/images/{name}");
    assert_eq!(server.request("GET", &path).send().await.unwrap().status(), 200, "as soon as its page is done");
    server.kill().await;
    llm.until(|books| books.in_flight == 0).await;
    llm.open();
    server.restart().await;
    let task = server.finished(&id).await;
    assert_eq!((&task["status"], &task["pages"]["done"]), (&"completed".into(), &4.into()), "{task}");
    assert_eq!(server.request("GET", &path).send().await.unwrap().bytes().await.unwrap(), photograph(None));
    assert!(server.markdown(&id).await.contains(&format!("![](images/{name})")));
}

#[tokio::test]
async fn links_of_models_to_pictures_lead_nowhere_and_go() {
    let said =
        "# Title\n\n![Figure 2: A weir](figures/weir.png)\n\nsome ![sign](https://e.org/s.png) words\n\n![](x.png)";
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Text(said, "stop")));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let id = server.accepted(book("Linked", 1), "processor=llm&prompt=read&images=extract&page_separator=").await;
    server.finished(&id).await;
    let expected =
        "# Title\n\n<!-- image -->\n\nFigure 2: A weir\n\nsome <!-- image --> sign words\n\n<!-- image -->\n";
    assert_eq!(server.markdown(&id).await, expected);
    let pages = server.get(&format!("/v1/tasks/{id}/pages")).await;
    assert_eq!(pages["pages"][0]["blocks"][1]["caption"], "Figure 2: A weir", "{pages}");
    let calls = llm.books().calls.len();
    let none = server.accepted(book("Linked", 1), "processor=llm&prompt=read&images=none&page_separator=").await;
    server.finished(&none).await;
    assert_eq!(server.markdown(&none).await, "# Title\n\nFigure 2: A weir\n\nsome sign words\n");
    assert_eq!(llm.books().calls.len(), calls, "the form of figures makes no other page");
}

#[tokio::test]
async fn figures_come_with_the_answers_of_other_interfaces() {
    let server = Server::start(&[]).await;
    let base64 = STANDARD.encode(illustrated());
    let docling = |mode: &str, target: &str| {
        server.request("POST", "/v1/convert/source").json(&json!({
            "sources": [{ "kind": "file", "base64_string": base64, "filename": "a.pdf" }],
            "options": { "to_formats": ["md"], "image_export_mode": mode }, "target": { "kind": target },
        }))
    };
    let (_, none) = answer(docling("placeholder", "inbody")).await;
    assert!(none["document"]["json_content"]["pictures"][0]["image"].is_null(), "{none}");
    let (status, inline) = answer(docling("embedded", "inbody")).await;
    let picture = &inline["document"]["json_content"]["pictures"][0];
    let data = picture["image"]["uri"].as_str().and_then(|uri| uri.strip_prefix("data:image/jpeg;base64,")).unwrap();
    assert_eq!((status, STANDARD.decode(data).unwrap()), (200, photograph(None)), "{inline}");
    assert_eq!(
        (&picture["image"]["size"]["width"], &picture["image"]["mimetype"]),
        (&120.0.into(), &"image/jpeg".into())
    );
    let markdown = inline["document"]["md_content"].as_str().unwrap();
    assert!(markdown.contains(&format!("](data:image/jpeg;base64,{data})")), "{markdown}");
    assert!(!markdown.contains("images/"), "no links that lead nowhere: {markdown}");

    let sent = docling("referenced", "zip").send().await.unwrap().bytes().await.unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(sent)).unwrap();
    let mut read = |name: &str| {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut archive.by_name(name).unwrap(), &mut bytes).unwrap();
        bytes
    };
    let markdown = String::from_utf8(read("a.md")).unwrap();
    let linked = link(&markdown, ".jpg");
    assert_eq!(read(linked), photograph(None));
    let document: Value = serde_json::from_slice(&read("a.json")).unwrap();
    assert_eq!(document["pictures"][0]["image"]["uri"], linked);

    let mistral = |more: Value| {
        let mut asked = json!({ "document": { "type": "document_url",
            "document_url": format!("data:application/pdf;base64,{base64}") } });
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        answer(server.request("POST", "/v1/ocr").json(&asked))
    };
    let (_, said) = mistral(json!({ "include_image_base64": true, "image_limit": 1 })).await;
    let image = &said["pages"][0]["images"][0];
    let id = image["id"].as_str().unwrap();
    assert!(said["pages"][0]["markdown"].as_str().unwrap().contains(&format!("]({id})")), "{said}");
    let data = image["image_base64"].as_str().unwrap().split_once(',').unwrap().1;
    assert_eq!(STANDARD.decode(data).unwrap(), photograph(None));
    // 72 points from the left are an inch: 200 pixels.
    assert_eq!((&image["top_left_x"], &image["bottom_right_x"]), (&200.0.into(), &867.0.into()), "{image}");
    let second = &said["pages"][1]["images"][0];
    assert!(second["id"].is_string() && second["image_base64"].is_null(), "one at most: {second}");
    let (_, said) = mistral(json!({})).await;
    assert!(said["pages"][0]["images"][0]["image_base64"].is_null(), "{said}");
}
