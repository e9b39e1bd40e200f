use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// Readers of a shell script, and a PDF to open with them.
fn readers(dir: &Path, script: &str) -> (Readers, PathBuf) {
    let (program, pdf) = (dir.join("program"), dir.join("x.pdf"));
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(&pdf, "%PDF-1.4").unwrap();
    (Readers::processes(program, 1, ReaderLimits { page_time: Duration::from_secs(1), memory: 1 << 30 }), pdf)
}

#[test]
fn what_cannot_be_started_is_not_the_pages_fault() {
    let dir = tempfile::tempdir().unwrap();
    for script in ["exit 1", "echo nonsense nonsense >&0"] {
        let (readers, pdf) = readers(dir.path(), script);
        let failure = readers.open(&pdf, None, &DocumentLimits::default()).err().unwrap();
        assert_eq!((&*failure.code, failure.retryable), (code::READER_UNAVAILABLE, true), "{failure}");
    }
}

/// `Ready`, as the wire has it, on standard input, which is the socket: 28 bytes of JSON and none besides.
const READY: &str = r#"printf '\034\000\000\000\000\000\000\000{"Ready":{"unconfined":"-"}}' >&0"#;

#[test]
fn what_dies_or_hangs_is_tried_in_one_more_process() {
    let dir = tempfile::tempdir().unwrap();
    for (ending, message) in [
        ("exit 3", "opening the PDF crashes the reader"),
        ("echo memory allocation of 9 bytes failed >&2", "opening the PDF takes more than 1024 MB of memory"),
        ("exec tail -f /dev/null", "opening the PDF takes longer than 1 s"),
    ] {
        let count = dir.path().join("count");
        let _ = fs::remove_file(&count);
        let (readers, pdf) = readers(dir.path(), &format!("echo >> {}\n{READY}\n{ending}", count.display()));
        let failure = readers.open(&pdf, None, &DocumentLimits::default()).err().unwrap();
        assert_eq!((&*failure.code, &*failure.message), (code::PDF_DAMAGED, message));
        assert_eq!(fs::read_to_string(&count).unwrap().lines().count(), 2);
    }
}

/// `Opened` with one page, as the wire has it.
const OPENED: &str = r#"printf '\026\000\000\000\000\000\000\000{"Opened":{"pages":1}}' >&0"#;

#[test]
fn what_is_killed_from_outside_is_no_fault_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let count = dir.path().join("count");
    for (kills, sent, opens) in [(2, "KILL", true), (9, "KILL", false), (9, "TERM", false)] {
        let _ = fs::remove_file(&count);
        let counted =
            format!("echo >> {0}\n{READY}\n[ $(wc -l < {0}) -gt {kills} ] || kill -{sent} $$", count.display());
        let (readers, pdf) = readers(dir.path(), &format!("{counted}\n{OPENED}\nexec tail -f /dev/null"));
        let opened = readers.open(&pdf, None, &DocumentLimits::default());
        assert_eq!(fs::read_to_string(&count).unwrap().lines().count(), 3, "{kills} times {sent}");
        match opened {
            Ok(document) => assert!(opens && document.page_count() == 1),
            Err(failure) => {
                assert_eq!((&*failure.code, failure.retryable, opens), ("reader_killed", true, false), "{failure}");
                assert!(failure.message.contains(&format!("SIG{sent}")), "{failure}");
            }
        }
    }
}
