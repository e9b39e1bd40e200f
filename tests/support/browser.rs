//! A real Chromium, driven by the `WebDriver` protocol (W3C).

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::{TEST_TIMEOUT, soon};

/// The key under which `WebDriver` names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The driver's processes are a group, which ends with the shell's standard input: also those of the browser, which the
/// driver leaves behind when it dies.
const GROUP: &str = "chromedriver --port=0 & cat > /dev/null; kill -KILL 0";

pub struct Browser {
    driver: Child,
    client: reqwest::Client,
    session: String,
}

impl Browser {
    /// A window of this size, in the light scheme unless something else is said.
    pub async fn open(width: u32, height: u32, dark: bool) -> Self {
        let mut driver = Command::new("sh")
            .args(["-c", GROUP])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("a shell");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = loop {
            let line = soon("chromedriver to start", lines.next_line())
                .await
                .unwrap()
                .expect("chromedriver is installed (tests/run installs it where apt is)");
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        // Nobody reads it any more, and it must not block.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let arguments = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--hide-scrollbars".to_owned(),
            format!("--window-size={width},{height}"),
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
            "unhandledPromptBehavior": "accept",
        } } });
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let driver_url = format!("http://127.0.0.1:{port}/session");
        let answer = soon("the browser", client.post(&driver_url).json(&wanted).send()).await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let id = answer["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("{answer}"));
        let browser = Self { driver, client, session: format!("{driver_url}/{id}") };
        browser.shape(width, height, dark).await;
        browser
    }

    /// Gives the window another size and scheme.
    pub async fn shape(&self, width: u32, height: u32, dark: bool) {
        let cdp = async |name: &str, parameters: Value| {
            self.command("POST", "goog/cdp/execute", &json!({ "cmd": name, "params": parameters })).await
        };
        // The window of a phone is narrower than a desktop's window manager allows.
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        cdp("Emulation.setDeviceMetricsOverride", metrics).await;
        let scheme = json!({ "name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" } });
        cdp("Emulation.setEmulatedMedia", json!({ "features": [scheme] })).await;
    }

    /// The group of its processes.
    pub fn group(&self) -> u32 {
        self.driver.id().unwrap()
    }

    async fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let url = format!("{}/{path}", self.session);
        let request = self.client.request(method.parse().unwrap(), url.trim_end_matches('/'));
        let request = if method == "POST" { request.json(body) } else { request };
        let mut answer: Value = soon("the browser's answer", request.send()).await.unwrap().json().await.unwrap();
        assert!(answer["value"].get("error").is_none(), "{path} {body}: {answer}");
        answer["value"].take()
    }

    pub async fn go(&self, url: &str) {
        self.command("POST", "url", &json!({ "url": url })).await;
    }

    /// Runs a piece of JavaScript in each page before the page's own.
    pub async fn before_pages(&self, script: &str) {
        let command = json!({ "cmd": "Page.addScriptToEvaluateOnNewDocument", "params": { "source": script } });
        self.command("POST", "goog/cdp/execute", &command).await;
    }

    /// What a piece of JavaScript returns.
    pub async fn run(&self, script: &str) -> Value {
        self.command("POST", "execute/sync", &json!({ "script": script, "args": [] })).await
    }

    /// Waits until a condition in JavaScript holds. The page is asked again and again; it tells nobody by itself.
    pub async fn until(&self, condition: &str) {
        let mut breath = tokio::time::interval(Duration::from_millis(20));
        let asked = async {
            while !self.run(&format!("return Boolean({condition})")).await.as_bool().unwrap() {
                breath.tick().await;
            }
        };
        if tokio::time::timeout(TEST_TIMEOUT, asked).await.is_err() {
            let text = self.run("return document.body.innerText").await;
            panic!("waited too long for {condition}; the page says:\n{}", text.as_str().unwrap_or_default());
        }
    }

    async fn element(&self, selector: &str) -> String {
        let found = self.command("POST", "element", &json!({ "using": "css selector", "value": selector })).await;
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    /// Clicks on what a person would see, as soon as it is to be seen.
    pub async fn click(&self, selector: &str) {
        self.until(&format!("document.querySelector({})?.checkVisibility()", json!(selector))).await;
        let element = self.element(selector).await;
        self.command("POST", &format!("element/{element}/click"), &json!({})).await;
    }

    /// Types into a field; into one for files, their paths.
    pub async fn write(&self, selector: &str, text: &str) {
        let element = self.element(selector).await;
        self.command("POST", &format!("element/{element}/value"), &json!({ "text": text })).await;
    }

    /// Presses a key on whatever has the focus.
    pub async fn press(&self, key: &str) {
        let steps = json!([{ "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }]);
        let actions = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": steps }] });
        self.command("POST", "actions", &actions).await;
    }

    /// What went wrong in the page: errors of scripts, and what the page may not load.
    pub async fn complaints(&self) -> Vec<String> {
        let lines = self.command("POST", "se/log", &json!({ "type": "browser" })).await;
        let line = |line: &Value| line["message"].as_str().unwrap_or_default().to_owned();
        lines.as_array().unwrap().iter().map(line).collect()
    }

    /// Keeps a picture of the window where somebody wants to look at it.
    pub async fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("BINDERY_PICTURES") else { return };
        let picture = self.command("GET", "screenshot", &Value::Null).await;
        let bytes = base64::engine::general_purpose::STANDARD.decode(picture.as_str().unwrap()).unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), bytes).unwrap();
    }

    /// Lets a moment pass, for a picture alone.
    pub async fn settle(&self) {
        if std::env::var_os("BINDERY_PICTURES").is_some() {
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
    }

    pub async fn close(self) {
        self.command("DELETE", "", &Value::Null).await;
    }
}
