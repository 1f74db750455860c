//! Makes pages of WALKTHROUGH.md: `book DIR`.
//!
//! The text is cut at its chapters, each becomes a page, and mdBook does the rest. `page.css` and `page.js`
//! are what the pages look like, and what they can do more than paper.

use mdbook_driver::MDBook;
use mdbook_driver::config::Config;
use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs, io, mem};

const CONFIG: &str = r#"
[output.html]
additional-css = ["page.css"]
additional-js = ["page.js"]
no-section-label = true
input-404 = ""
print = { enable = false }
playground = { runnable = false }
search = { heading-split-level = 2 }
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = env::args_os().nth(1).ok_or("usage: book DIR")?;
    let dir = std::path::absolute(PathBuf::from(dir))?;
    // mdBook empties the directory that it writes to. Each book of its has this file.
    let is_free = fs::read_dir(&dir).map_or(true, |mut files| files.next().is_none());
    if !is_free && !dir.join(".nojekyll").exists() {
        return Err(format!("{}: there is something else in it", dir.display()).into());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = fs::read_to_string(root.join("WALKTHROUGH.md"))?;
    let mut text = Text::new(&text);

    let mut config: Config = CONFIG.parse()?;
    config.build.build_dir = dir.clone();
    config.book.title = text.chapters.first().map(|front| front.title.clone());

    let made = tempfile::tempdir()?;
    let sources = made.path().join("src");
    // In place of fonts of mdBook's choice.
    fs::create_dir_all(made.path().join("theme/fonts"))?;
    fs::write(made.path().join("theme/fonts/fonts.css"), "/* none */")?;
    fs::create_dir(&sources)?;
    for (name, page) in text.pages(&root)? {
        fs::write(sources.join(name), page)?;
    }
    for (from, to) in &text.files {
        let to = sources.join(to);
        fs::create_dir_all(to.parent().unwrap_or(&sources))?;
        fs::copy(root.join(from), to).map_err(|error| format!("{from}: {error}"))?;
    }
    fs::write(made.path().join("page.css"), include_str!("page.css"))?;
    fs::write(made.path().join("page.js"), include_str!("page.js"))?;
    let title = config.book.title.clone().unwrap_or_default();
    MDBook::load_with_config(made.path(), config)?.build()?;
    // The front page has the book's title for its own.
    let front = fs::read_to_string(dir.join("index.html"))?;
    fs::write(dir.join("index.html"), front.replacen(&format!("{title} - {title}"), &title, 1))?;
    println!("{}", dir.join("index.html").display());
    Ok(())
}

/// What the walkthrough consists of.
struct Text {
    chapters: Vec<Chapter>,
    /// For each link to a heading, where on the pages that is.
    targets: HashMap<String, String>,
    /// The files of the repository that the pages link to, and the names that they have beside these.
    files: BTreeMap<String, String>,
}

/// What becomes a page.
struct Chapter {
    title: String,
    /// The file's name without its end.
    name: String,
    /// Each with whether it is code.
    lines: Vec<(bool, String)>,
}

/// Each line, and whether it is part of a block of code, as its fences are.
fn lines(text: &str) -> impl Iterator<Item = (bool, &str)> {
    let mut is_within = false;
    text.lines().map(move |line| {
        let is_fence = line.starts_with("```");
        let is_code = is_within || is_fence;
        is_within ^= is_fence;
        (is_code, line)
    })
}

/// A heading's level and title.
fn heading(line: &str) -> Option<(usize, &str)> {
    let title = line.trim_start_matches('#');
    let level = line.len() - title.len();
    (level > 0).then_some((level, title.trim()))
}

/// A heading's anchor, as GitHub makes it.
fn anchor(title: &str, seen: &mut HashMap<String, usize>) -> String {
    let title = title.to_lowercase().replace(' ', "-");
    let title: String =
        title.chars().filter(|c| c.is_alphanumeric() || ['-', '_'].contains(c)).collect();
    let count = seen.entry(title.clone()).or_default();
    *count += 1;
    if *count == 1 { title } else { format!("{title}-{}", *count - 1) }
}

impl Text {
    /// Cuts the text at its headings of level 2. What is above the first is the front page.
    fn new(text: &str) -> Text {
        let (mut chapters, mut targets) = (Vec::<Chapter>::new(), HashMap::new());
        let mut seen = HashMap::new();
        for (is_code, line) in lines(text) {
            let mut line = line.to_owned();
            if let Some((level, title)) = heading(&line).filter(|_| !is_code) {
                let anchor = anchor(title, &mut seen);
                if level <= 2 {
                    let name = if level == 1 { "index".to_owned() } else { anchor.clone() };
                    chapters.push(Chapter { title: title.to_owned(), name, lines: Vec::new() });
                }
                let page = chapters.last().map_or("index", |chapter| &chapter.name);
                let within = if level <= 2 { String::new() } else { format!("#{anchor}") };
                targets.insert(format!("#{anchor}"), format!("{page}.html{within}"));
                line = format!("{} {title} {{#{anchor}}}", "#".repeat((level - 1).max(1)));
            }
            if let Some(chapter) = chapters.last_mut() {
                chapter.lines.push((is_code, line));
            }
        }
        Text { chapters, targets, files: BTreeMap::new() }
    }

    /// The Markdown of each page with the name of its file, and that of their table of contents.
    fn pages(&mut self, root: &Path) -> io::Result<Vec<(String, String)>> {
        let chapters = mem::take(&mut self.chapters);
        let (mut pages, mut summary) = (Vec::new(), String::new());
        for (number, chapter) in chapters.iter().enumerate() {
            summary += &format!("- [{}]({}.md)\n", chapter.title, chapter.name);
            let mut page = self.page(chapter, root)?;
            page += "\n<nav class=\"turn\">\n";
            let previous = number.checked_sub(1).map(|at| (at, "prev"));
            for (at, rel) in previous.into_iter().chain([(number + 1, "next")]) {
                if let Some(Chapter { title, name, .. }) = chapters.get(at) {
                    page += &format!("<a rel=\"{rel}\" href=\"{name}.html\">{title}</a>\n");
                }
            }
            pages.push((format!("{}.md", chapter.name), page + "</nav>\n"));
        }
        pages.push(("SUMMARY.md".to_owned(), summary));
        Ok(pages)
    }

    fn page(&mut self, chapter: &Chapter, root: &Path) -> io::Result<String> {
        let mut page = String::new();
        let (mut is_prediction, mut is_diff) = (false, false);
        for (is_code, line) in &chapter.lines {
            let is_heading = !is_code && line.starts_with('#');
            is_prediction = is_prediction && !is_heading
                || is_heading && line.contains(" Predict {#")
                || line.contains("**Predict.**");
            page += &match (*is_code, line.as_str()) {
                (true, fence) if fence.starts_with("```") => {
                    is_diff = fence.starts_with("```diff");
                    fence.split(' ').next().unwrap_or_default().to_owned()
                }
                // What follows is further down in the file, and to be copied by itself.
                (true, " …") if is_diff => "```\n\n<p class=\"gap\">⋮</p>\n\n```diff".to_owned(),
                (true, code) => code.to_owned(),
                // The marks around code that belongs to a file. Other comments nobody sees.
                (_, mark)
                    if mark.starts_with("<!-- move ") || mark.starts_with("<!-- excerpt ") =>
                {
                    "<div class=\"move\">\n".to_owned()
                }
                (_, "<!-- /move -->" | "<!-- /excerpt -->") => "</div>\n".to_owned(),
                // A paragraph ends where the fold does.
                (_, "</details>") => format!("\n{line}\n"),
                (_, fold) if is_prediction && fold.starts_with("<details>") => {
                    is_prediction = false;
                    fold.replacen("<details>", "<details class=\"prediction\">", 1)
                }
                (_, image) if image.starts_with("<img ") => {
                    format!("<div class=\"scroll\">{}</div>", self.linked(image))
                }
                _ => match timeline(line) {
                    Some((words, file)) => format!(
                        "<figure class=\"timeline\">\n{}<figcaption>{words}</figcaption>\n</figure>",
                        fs::read_to_string(root.join(file))?
                    ),
                    None => self.linked(line),
                },
            };
            page.push('\n');
        }
        Ok(page)
    }

    /// A line, with what it links to as it is among the pages.
    fn linked(&mut self, line: &str) -> String {
        let mut linked = String::new();
        let mut rest = line;
        let begins = [("](", ')'), ("src=\"", '"')];
        let next = |rest: &str| {
            begins
                .iter()
                .filter_map(|(begin, end)| Some((rest.find(begin)? + begin.len(), *end)))
                .min()
        };
        while let Some((at, end)) = next(rest) {
            linked += &rest[..at];
            let target = rest[at..].split(end).next().unwrap_or_default();
            let is_code = linked.matches('`').count() % 2 == 1;
            linked += &if is_code { target.to_owned() } else { self.target(target) };
            rest = &rest[at + target.len()..];
        }
        linked + rest
    }

    /// What a link to `target` leads to among the pages.
    fn target(&mut self, target: &str) -> String {
        if target.starts_with("http") {
            return target.to_owned();
        }
        if target.starts_with('#') {
            return self.targets.get(target).map_or(target, String::as_str).to_owned();
        }
        let file = target.split('#').next().unwrap_or_default();
        let copy = match file.strip_prefix("benches/") {
            Some(figure) if figure.ends_with(".svg") => figure.to_owned(),
            // Every browser shows a `.txt`; a `.md` mdBook would take for a page.
            _ => format!("files/{}.txt", file.trim_end_matches(".md")),
        };
        self.files.insert(file.to_owned(), copy.clone());
        copy
    }
}

/// The words and the file of a timeline.
fn timeline(line: &str) -> Option<(&str, &str)> {
    let (words, file) = line.strip_prefix("![")?.strip_suffix(')')?.split_once("](")?;
    file.contains("/timeline").then_some((words, file))
}
