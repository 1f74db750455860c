//! The pages in Chromium: nothing is broken, nothing too wide, and they do what paper can't. Each check is
//! also shown pages with a fault, which it must find. What a page is asked is in `pages.js`.

#![allow(clippy::unwrap_used)]

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::{fs, iter};
use tempfile::TempDir;

/// Chromium, told what to do through a pipe: the DevTools protocol.
struct Browser {
    process: Child,
    /// None once the browser has to leave, which it does when its end of the pipe is closed.
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    last: u64,
    session: Option<String>,
    /// What has happened since the page was asked for.
    events: Vec<Value>,
    /// The pages, and what goes with the test.
    site: PathBuf,
    _dir: TempDir,
}

impl Browser {
    /// A browser with a book of its own.
    fn start() -> Browser {
        let dir = tempfile::tempdir().unwrap();
        let site = dir.path().join("book");
        let book = Command::new(env!("CARGO_BIN_EXE_book")).arg(&site).status().unwrap();
        assert!(book.success());
        // It reads descriptor 3 and writes to descriptor 4.
        let mut process = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >&2", "chromium"])
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"])
            .args(["--hide-scrollbars", "--no-first-run"])
            .arg(format!("--user-data-dir={}", dir.path().join("profile").display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let requests = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().unwrap());
        let (last, session, events) = (0, None, Vec::new());
        let mut browser =
            Browser { process, requests, answers, last, session, events, site, _dir: dir };
        let page = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let target = json!({"targetId": page["targetId"], "flatten": true});
        let session = browser.call("Target.attachToTarget", target);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        let script = json!({"source": include_str!("pages.js")});
        browser.call("Page.addScriptToEvaluateOnNewDocument", script);
        let permissions = json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
        browser.call("Browser.grantPermissions", permissions);
        browser
    }

    fn receive(&mut self) -> Value {
        let mut message = Vec::new();
        self.answers.read_until(0, &mut message).unwrap();
        assert_eq!(message.pop(), Some(0), "there is no `chromium`, or it has left");
        serde_json::from_slice(&message).unwrap()
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut request = json!({"id": self.last, "method": method, "params": params});
        if let Some(session) = &self.session {
            request["sessionId"] = json!(session);
        }
        self.requests.as_mut().unwrap().write_all(format!("{request}\0").as_bytes()).unwrap();
        loop {
            let mut message = self.receive();
            if message["id"] == self.last {
                assert_eq!(message.get("error"), None, "{request}");
                return message["result"].take();
            }
            self.events.push(message);
        }
    }

    /// Shows a page, and waits until all of it is there.
    fn open(&mut self, page: &str) {
        self.events.clear();
        let page = format!("file://{}/{page}", self.site.display());
        self.call("Page.navigate", json!({"url": page}));
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.receive();
            self.events.push(event);
        }
    }

    /// Shows a chapter.
    fn open_chapter(&mut self, number: u32) {
        let start = format!("{number}-");
        let page = self.pages().into_iter().find(|page| page.starts_with(&start)).unwrap();
        self.open(&page);
    }

    fn pages(&self) -> Vec<String> {
        let names = fs::read_dir(&self.site).unwrap().map(|file| file.unwrap().file_name());
        let names = names.map(|name| name.into_string().unwrap());
        // One is only for browsers without scripts: the table of contents in a frame.
        names.filter(|name| name.ends_with(".html") && name != "toc.html").collect()
    }

    /// The value of an expression, awaited if it is a promise.
    fn value<T: DeserializeOwned>(&mut self, expression: &str) -> T {
        let params = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true,
        });
        let mut answer = self.call("Runtime.evaluate", params);
        assert_eq!(answer.get("exceptionDetails"), None, "{expression}");
        serde_json::from_value(answer["result"]["value"].take()).unwrap()
    }

    fn is(&mut self, expression: &str) -> bool {
        self.value(expression)
    }

    fn run(&mut self, statement: &str) {
        self.value::<Value>(statement);
    }

    /// Presses a key that has a name, and a number for old times' sake.
    fn press(&mut self, key: &str, code: u32) {
        let text = if key == "Enter" { "\r" } else { "" };
        for (kind, text) in [("keyDown", text), ("keyUp", "")] {
            let event =
                json!({"type": kind, "key": key, "windowsVirtualKeyCode": code, "text": text});
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    fn set_width(&mut self, width: u32) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// What the console has of the page: what was thrown, and what could not be loaded.
    fn errors(&self) -> Vec<String> {
        let message = |event: &Value| {
            let (params, entry) = (&event["params"], &event["params"]["entry"]);
            let text = match event["method"].as_str()? {
                "Runtime.exceptionThrown" => {
                    &params["exceptionDetails"]["exception"]["description"]
                }
                "Log.entryAdded" if entry["level"] == "error" => &entry["text"],
                _ => return None,
            };
            let file = entry["url"].as_str().and_then(|url| url.rsplit('/').next());
            Some(format!("{} {}", text.as_str()?.lines().next()?, file.unwrap_or_default()))
        };
        self.events.iter().filter_map(message).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.requests = None;
        // Its profile can't go before it.
        let _ = self.process.wait();
    }
}

/// What is wrong with these pages.
fn faults(browser: &mut Browser, pages: &[String]) -> BTreeSet<String> {
    let mut faults = BTreeSet::new();
    let (mut ids, mut links) = (BTreeMap::new(), Vec::new());
    for page in pages {
        for width in [390, 1280] {
            browser.set_width(width);
            browser.open(page);
            let wide: Vec<String> = browser.value("check.wide().concat(check.split())");
            let found = wide.into_iter().chain(browser.errors());
            faults.extend(found.map(|message| format!("{page}: {message}")));
        }
        ids.insert(page.as_str(), browser.value::<Vec<String>>("check.ids()"));
        links.push((page, browser.value::<Vec<String>>("check.targets()")));
    }
    let site = format!("file://{}/", browser.site.display());
    let is_there = |target: &str| {
        let (file, id) = target.split_once('#').unwrap_or((target, ""));
        let has_id = |ids: &Vec<String>| id.is_empty() || ids.iter().any(|other| other == id);
        browser.site.join(file).is_file() && ids.get(file).is_none_or(has_id)
    };
    for (page, target) in links.iter().flat_map(|(page, targets)| iter::repeat(page).zip(targets)) {
        let is_whole = target.strip_prefix(&site).map_or(target.starts_with("https://"), is_there);
        if !is_whole {
            faults.insert(format!("{page}: {} is not there", target.replace(&site, "")));
        }
    }
    faults
}

#[test]
fn every_page_renders_links_to_what_is_there_and_fits_a_phone() {
    let mut browser = Browser::start();
    let pages = browser.pages();
    assert_eq!(faults(&mut browser, &pages), BTreeSet::new());
    // From the front page on, each leads to the next.
    browser.open("index.html");
    let turns = iter::from_fn(|| {
        let next: Option<String> = browser.value("check.next() ?? null");
        next.map(|page| browser.open(&page))
    });
    assert_eq!(turns.count(), pages.len() - 1);

    let front = fs::read_to_string(browser.site.join("index.html")).unwrap();
    let broken = "<a href='ghost.html'></a><a href='index.html#ghost'></a><img src='ghost.svg'>
        <a href='/ghost'></a><p style='width: 500px'></p>
        <p style='width: 0'><b class='whole' style='white-space: normal'>one ms</b></p><script>ghost()</script></main>";
    fs::write(browser.site.join("broken.html"), front.replace("</main>", broken)).unwrap();
    let found = faults(&mut browser, &["broken.html".into(), "index.html".into()]);
    let expected = [
        "one ms is split",
        "Failed to load resource: net::ERR_FILE_NOT_FOUND ghost.svg",
        "ReferenceError: ghost is not defined ",
        "file:///ghost is not there",
        "ghost.html is not there",
        "ghost.svg is not there",
        "index.html#ghost is not there",
        "p. is wider than 390 pixels",
    ];
    assert_eq!(found, expected.map(|fault| format!("broken.html: {fault}")).into());
}

#[test]
fn a_directory_with_something_else_in_it_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("mine"), "").unwrap();
    let book = Command::new(env!("CARGO_BIN_EXE_book")).arg(dir.path()).status().unwrap();
    assert!(!book.success() && dir.path().join("mine").exists());
}

type Check = fn(&mut Browser);

/// A timeline shows, at each tick, all that is before and nothing else.
fn steps(browser: &mut Browser) {
    browser.set_width(1280);
    browser.open_chapter(4);
    let until = |browser: &mut Browser, now: u64| {
        let ticks: Vec<(u64, bool)> = browser.value("check.shown()");
        ticks.len() > 100 && ticks.iter().all(|(end, is_shown)| *is_shown == (*end <= now))
    };
    assert!(until(browser, u64::MAX));
    assert!(browser.is("check.answered().join() === check.asked().join()"));
    browser.run("first('.steps input').focus()");
    browser.press("Home", 36);
    assert!(until(browser, 0));
    for now in 1..=9 {
        browser.press("ArrowRight", 39);
        assert!(until(browser, now));
    }
    browser.press("ArrowLeft", 37);
    assert!(until(browser, 8));
    browser.run("first('.steps button:last-of-type').click()");
    assert!(until(browser, 9));
    assert!(browser.value::<Vec<String>>("check.play()") == ["tick 10", "tick 11", "tick 12"]);
}

/// A measured answer opens after a guess, which is remembered, or when the reader has no patience.
fn predicts(browser: &mut Browser) {
    browser.open_chapter(1);
    browser.run("localStorage.clear()");
    browser.open_chapter(1);
    assert!(!browser.is("check.isOffered()"));
    browser.run("first('.guess input').focus()");
    browser.press("Enter", 13);
    assert!(!browser.is("check.isOpen()"));
    browser.call("Input.insertText", json!({"text": "10 µs"}));
    browser.press("Enter", 13);
    assert!(browser.is("check.isOpen()"));
    browser.open_chapter(1);
    assert!(browser.is("check.isOpen() && first('.said').textContent === 'Your guess: 10 µs'"));
    browser.open_chapter(4);
    assert!(!browser.is("check.isOffered()"));
    browser.run("first('.skip').click()");
    assert!(browser.is("check.isOpen()"));
    // Where a search led, no guess is asked for.
    let chapter: String = browser.value("location.pathname.split('/').pop()");
    browser.open(&format!("{chapter}?highlight=Rounding"));
    assert!(browser.is("check.isOpen() && first('.menu-title').textContent.startsWith('4')"));
    browser.open_chapter(9);
    assert!(browser.is("check.guessOf('1') === '10 µs'"));
}

/// What is copied of a move is what stands there afterwards.
fn copies(browser: &mut Browser) {
    let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../WALKTHROUGH.md");
    let text = fs::read_to_string(text).unwrap();
    let text = text.split("\n## ").find(|chapter| chapter.starts_with("4. ")).unwrap();
    // After the word may stand which file it is.
    let fences = text.split("\n```diff").skip(1);
    let fences = fences.map(|rest| rest.split_once('\n').unwrap().1.split("```").next().unwrap());
    let kept = |lines: &str| -> String {
        let lines = lines.lines().filter(|line| !line.starts_with('-'));
        lines.map(|line| line.get(1..).unwrap_or_default().to_owned() + "\n").collect()
    };
    let expected: Vec<String> = fences.flat_map(|fence| fence.split(" …\n").map(kept)).collect();
    browser.open_chapter(4);
    assert!(browser.value::<Vec<String>>("check.copied('code.diff')") == expected);
    let sessions: Vec<String> = browser.value("check.copied('code.language-console')");
    assert!(sessions.first().is_some_and(|session| session.starts_with("$ cargo run")));
}

/// Whether the search leads from the front page to chapter 7.
fn finds(word: &str, browser: &mut Browser) -> bool {
    browser.open("index.html");
    browser.run("first('#mdbook-search-toggle').click()");
    browser.call("Input.insertText", json!({"text": word}));
    // The search waits for a key that is let go.
    browser.press("End", 35);
    let found: Vec<String> = browser.value("check.found()");
    found.iter().any(|page| page.contains("/7-"))
}

#[test]
fn pages_do_more_than_paper_and_a_fault_in_their_script_is_noticed() {
    let mut browser = Browser::start();
    for check in [steps, predicts, copies] {
        check(&mut browser);
    }
    // What stands in the script, and what stands there instead.
    let faults: [(Check, &str, &str); 12] = [
        (steps, "now * tick + 1", "now * tick + 7"),
        (steps, "until.setAttribute('width'", "until.setAttribute('height'"),
        (steps, "slider.oninput", "slider.onfocus"),
        (steps, "end => end <= now", "end => end < now"),
        (predicts, "if (!guess) return input.focus();", ""),
        (predicts, "answer.hidden = true;", ""),
        (predicts, "storage[key] = guess;", ""),
        (predicts, "skip.onclick", "skip.onkeydown"),
        (predicts, "row.append(cell);", ""),
        (predicts, " || isSought(answer)", ""),
        (copies, "line.slice(1) + '\\n'", "line + '\\n'"),
        (copies, "!line.startsWith('-')", "line"),
    ];
    let files = fs::read_dir(&browser.site).unwrap().map(|file| file.unwrap().path());
    let is_script = |path: &PathBuf| path.extension().is_some_and(|end| end == "js");
    let mut scripts =
        files.filter(is_script).map(|path| (fs::read_to_string(&path).unwrap(), path));
    let (whole, script) = scripts.find(|(text, _)| text == include_str!("../src/page.js")).unwrap();
    for (check, from, to) in faults {
        assert!(whole.contains(from), "{from}");
        fs::write(&script, whole.replace(from, to)).unwrap();
        let checked = catch_unwind(AssertUnwindSafe(|| check(&mut browser)));
        assert!(checked.is_err(), "nobody notices `{to}` for `{from}`");
    }
    fs::write(&script, &whole).unwrap();
    assert!(finds("papaya", &mut browser));
    assert!(!finds("xylophone", &mut browser));
}
