//! Packages are built of the program under test, installed, and run.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::ocr::{installed, scanned_page};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn done(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|why| panic!("{command:?}: {why}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Has the installed program convert the sample.
fn converts(program: &Path, data: &Path) {
    let mut command = Command::new(program);
    command.arg("convert").arg(root().join("tests/data/sample.pdf")).env("BINDERY_DATA_DIR", data);
    assert!(String::from_utf8_lossy(&done(&mut command).stdout).contains("<!-- page 12 -->"));
}

#[test]
fn a_debian_package_has_program_manual_completions_and_unit() {
    if Command::new("dpkg-deb").arg("--version").output().is_err() {
        println!("skipped, for want of dpkg-deb");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut build = Command::new(root().join(".github/packaging/deb.sh"));
    build.args([env!("CARGO_BIN_EXE_bindery"), env!("CARGO_PKG_VERSION")]).arg(dir.path()).arg("none");
    let models = installed().map(|home| home.join("bindery/models"));
    build.args(&models);
    let made = done(&mut build);
    let package = PathBuf::from(String::from_utf8(made.stdout).unwrap().trim());
    let tree = dir.path().join("tree");
    done(Command::new("dpkg-deb").arg("-x").args([&package, &tree]));
    for file in [
        "usr/share/man/man1/bindery-convert.1.gz",
        "usr/share/bash-completion/completions/bindery",
        "usr/share/doc/bindery/copyright",
        "lib/systemd/system/bindery.service",
    ] {
        assert!(tree.join(file).is_file(), "{file}");
    }
    let unit = std::fs::read_to_string(tree.join("lib/systemd/system/bindery.service")).unwrap();
    for line in ["ExecStart=/usr/bin/bindery serve", "Type=notify", "WatchdogSec=2min"] {
        assert!(unit.contains(&format!("\n{line}\n")), "{line}: {unit}");
    }
    let control = done(Command::new("dpkg-deb").arg("-f").arg(&package)).stdout;
    let control = String::from_utf8(control).unwrap();
    let version = format!("Version: {}\n", env!("CARGO_PKG_VERSION"));
    assert!(control.contains(&version) && control.contains("libc6 (>= 2."), "{control}");
    converts(&tree.join("usr/bin/bindery"), &dir.path().join("data"));
    if models.is_some() {
        reads_scans(&tree.join("usr/bin/bindery"), &dir.path().join("data"));
    }
}

/// Where a registry is reachable, packages bring what reads scans; then the installed program reads one, without a word more.
fn reads_scans(program: &Path, data: &Path) {
    let scan = data.with_extension("png");
    std::fs::write(&scan, scanned_page()).unwrap();
    let mut command = Command::new(program);
    command.args(["convert", "--strict"]).arg(&scan).env("BINDERY_DATA_DIR", data).env("XDG_DATA_HOME", data);
    assert!(String::from_utf8_lossy(&done(&mut command).stdout).contains("Quarterly Report"));
}

#[test]
fn a_wheel_puts_the_program_beside_python() {
    let dir = tempfile::tempdir().unwrap();
    let mut build = Command::new(root().join(".github/packaging/wheel.py"));
    build.args([env!("CARGO_BIN_EXE_bindery"), env!("CARGO_PKG_VERSION")]).arg(dir.path()).arg("--store");
    let models = installed().map(|home| home.join("bindery/models"));
    if let Some(models) = &models {
        build.arg("--models").arg(models);
    }
    let made = done(&mut build);
    let wheel = String::from_utf8(made.stdout).unwrap();
    let python = dir.path().join("python");
    done(Command::new("python3").args(["-m", "venv"]).arg(&python));
    done(Command::new(python.join("bin/pip")).args(["install", "--quiet", "--no-index", wheel.trim()]));
    let program = python.join("bin/bindery");
    let version = done(Command::new(&program).arg("--version")).stdout;
    assert_eq!(String::from_utf8(version).unwrap(), format!("bindery {}\n", env!("CARGO_PKG_VERSION")));
    converts(&program, &dir.path().join("data"));
    if models.is_some() {
        reads_scans(&program, &dir.path().join("data"));
    }
    done(Command::new(python.join("bin/pip")).args(["uninstall", "--quiet", "--yes", "bindery"]));
    assert!(!program.exists(), "the wheel's record names what it installs");
}
