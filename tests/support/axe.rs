//! axe-core: rules of accessibility, run in the page.

use std::path::Path;

use tokio::process::Command;
use tokio::sync::OnceCell;

use super::browser::Browser;
use super::soon;

/// The wheel that has axe-core's file.
const WHEEL: &str = "axe-playwright-python==0.1.8";

static SCRIPT: OnceCell<String> = OnceCell::const_new();

/// Everything that axe finds serious or critical on the page as it stands.
async fn serious(browser: &Browser) -> Vec<String> {
    let script = SCRIPT.get_or_init(script).await;
    let found = browser
        .run(&format!(
            "{script};return axe.run(document, {{ resultTypes: ['violations'] }}).then(({{ violations }}) => violations
                .filter(({{ impact }}) => ['serious', 'critical'].includes(impact))
                .flatMap(({{ id, nodes }}) => nodes.map((node) => `${{id}}: ${{node.html}} ${{node.failureSummary}}`)))"
        ))
        .await;
    found.as_array().unwrap().iter().map(|line| line.as_str().unwrap_or_default().to_owned()).collect()
}

/// Installed once, from the package registry.
async fn script() -> String {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("axe");
    let complete = place.join("complete");
    if std::fs::read_to_string(&complete).ok().as_deref() != Some(WHEEL) {
        let made = Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place).status();
        assert!(soon("a venv", made).await.unwrap().success(), "python3 -m venv (Debian: python3-venv)");
        let mut install = Command::new(place.join("bin/pip"));
        install.args(["install", "-q", "--no-deps", "--target"]).arg(place.join("lib")).arg(WHEEL);
        assert!(install.status().await.unwrap().success(), "pip install {WHEEL}");
        std::fs::write(complete, WHEEL).unwrap();
    }
    std::fs::read_to_string(place.join("lib/axe_playwright_python/axe.min.js")).unwrap()
}

/// Asserts that there is nothing.
pub async fn finds_nothing_serious(browser: &Browser, what: &str) {
    let found = serious(browser).await;
    assert!(found.is_empty(), "{what}: {found:#?}");
}
