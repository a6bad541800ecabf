//! A headless Chromium that a test drives: a page, what it says to its console, and how it looks. Must not know any page.
//!
//! Without Chromium on the path the test is skipped loudly, unless `CANDLEWICK_REQUIRE` names `chromium`.

mod pipe;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::servers::Missing;
use pipe::Pipe;

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// For an answer of the browser.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page. It ends when dropped.
pub struct Browser {
    child: Child,
    pipe: Pipe,
    /// The page's session, and that of a blank page beside it.
    page: String,
    blank: String,
    _profile: TempDir,
}

/// How a part of the page looks.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Different colours.
    pub colours: u64,
    /// The share of the most frequent colour.
    pub plain: f64,
}

impl Browser {
    /// Starts a browser without a window.
    ///
    /// # Errors
    /// When there is none here, or it does not answer.
    pub fn start() -> Result<Self, Missing> {
        let missing = |why: String| Missing { server: "chromium", why };
        let works = |name: &&&str| {
            Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success())
        };
        let name =
            NAMES.iter().find(works).ok_or_else(|| missing("it is not on the path: install it".into()))?;
        let profile = tempfile::tempdir().map_err(|error| missing(error.to_string()))?;
        // It is spoken to through its descriptors 3 and 4; a shell puts them there.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "sh", name]);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]);
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        command.arg("--remote-debugging-pipe").arg(format!("--user-data-dir={}", profile.path().display()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| missing(error.to_string()))?;
        let ends = child.stdin.take().zip(child.stdout.take()).expect("both are pipes");
        let mut pipe = Pipe::new(ends.0, ends.1);
        let mut attach = || -> Result<String, String> {
            let target =
                pipe.call(None, "Target.createTarget", &json!({ "url": "about:blank" }), PATIENCE)?;
            let asked = json!({ "targetId": target["targetId"], "flatten": true });
            let session = pipe.call(None, "Target.attachToTarget", &asked, PATIENCE)?;
            Ok(session["sessionId"].as_str().unwrap_or_default().to_owned())
        };
        // The page comes last, and so to the front: one behind another draws nothing.
        let attached = attach().and_then(|blank| Ok((blank, attach()?)));
        let (blank, page) = attached.map_err(missing)?;
        let mut browser = Self { child, pipe, page, blank, _profile: profile };
        for domain in ["Page", "Runtime", "Log"] {
            browser.ask(&format!("{domain}.enable"), &json!({}));
        }
        let size = json!({ "width": 1440, "height": 1000, "deviceScaleFactor": 1, "mobile": false });
        browser.ask("Emulation.setDeviceMetricsOverride", &size);
        browser.ask("Page.bringToFront", &json!({}));
        Ok(browser)
    }

    fn ask(&mut self, method: &str, parameters: &Value) -> Value {
        let page = self.page.clone();
        self.pipe.call(Some(&page), method, parameters, PATIENCE).expect("the browser answers")
    }

    /// Opens an address.
    ///
    /// # Panics
    /// When the browser cannot.
    pub fn open(&mut self, url: &str) {
        let opened = self.ask("Page.navigate", &json!({ "url": url }));
        assert!(opened["errorText"].is_null(), "{url}: {opened}");
    }

    /// The value of an expression in the page.
    ///
    /// # Panics
    /// When it throws.
    pub fn value(&mut self, expression: &str) -> Value {
        let page = self.page.clone();
        self.value_in(&page, expression)
    }

    fn value_in(&mut self, session: &str, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.pipe.call(Some(session), "Runtime.evaluate", &asked, PATIENCE);
        let answer = answer.expect("the browser answers");
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is neither false nor empty, and gives it.
    ///
    /// # Panics
    /// When it is not by then.
    pub fn wait_for(&mut self, expression: &str, deadline: Duration) -> Value {
        let until = Instant::now() + deadline;
        loop {
            let value = self.value(expression);
            if !matches!(&value, Value::Null | Value::Bool(false)) && value != "" {
                return value;
            }
            let late = Instant::now() >= until;
            assert!(!late, "{expression} is {value}; the page complains of {:?}", self.complaints());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What the page has thrown and complained of so far.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let is_complaint = |event: &&Value| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => {
                matches!(event["params"]["type"].as_str(), Some("error" | "warning" | "assert"))
            }
            Some("Log.entryAdded") => {
                matches!(event["params"]["entry"]["level"].as_str(), Some("error" | "warning"))
            }
            _ => false,
        };
        self.pipe.events().iter().filter(is_complaint).map(ToString::to_string).collect()
    }

    /// Takes a picture of an element and counts its colours.
    ///
    /// # Panics
    /// When there is no such element.
    pub fn look_at(&mut self, selector: &str) -> Look {
        let place = self.value(&format!(
            "(({{ x, y, width, height }}) => ({{ x, y, width, height }}))(document.querySelector('{selector}').getBoundingClientRect())"
        ));
        let clip = json!({
            "x": place["x"], "y": place["y"], "width": place["width"], "height": place["height"], "scale": 1,
        });
        let picture = self.ask("Page.captureScreenshot", &json!({ "format": "png", "clip": clip }));
        let data = picture["data"].as_str().expect("a picture");
        // The page itself may not load pictures from anywhere: a blank one reads it. It is not in front, and must not
        // need to draw for that.
        let count = format!(
            "(async () => {{
                const bytes = Uint8Array.from(atob('{data}'), letter => letter.charCodeAt(0));
                const image = await createImageBitmap(new Blob([bytes], {{ type: 'image/png' }}));
                const canvas = document.createElement('canvas');
                [canvas.width, canvas.height] = [image.width, image.height];
                const context = canvas.getContext('2d');
                context.drawImage(image, 0, 0);
                const colours = new Map();
                const pixels = new Uint32Array(context.getImageData(0, 0, image.width, image.height).data.buffer);
                for (const pixel of pixels) colours.set(pixel, (colours.get(pixel) ?? 0) + 1);
                return [colours.size, Math.max(...colours.values()) / pixels.length];
            }})()"
        );
        let blank = self.blank.clone();
        let counted = self.value_in(&blank, &count);
        Look { colours: counted[0].as_u64().expect("a count"), plain: counted[1].as_f64().expect("a share") }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its own processes end with it only when it is asked; the kill is for one that does not answer.
        let _ = self.pipe.call(None, "Browser.close", &json!({}), Duration::from_secs(5));
        let until = Instant::now() + Duration::from_secs(5);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
