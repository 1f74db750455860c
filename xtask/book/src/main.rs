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
    lines: Vec<(Within, String)>,
}

/// What a line is part of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Prose,
    Code,
    Comment,
}

/// Each line with what it is part of. The fences are part of the code, as are the marks of a comment.
fn lines(text: &str) -> impl Iterator<Item = (Within, &str)> {
    let mut within = Within::Prose;
    text.lines().map(move |line| {
        let is_fence = line.starts_with("```");
        let here = match within {
            Within::Prose if is_fence => Within::Code,
            Within::Prose if line.starts_with("<!--") => Within::Comment,
            within => within,
        };
        let goes_on = match here {
            Within::Code => (within == Within::Code) != is_fence,
            Within::Comment => !line.ends_with("-->"),
            Within::Prose => false,
        };
        within = if goes_on { here } else { Within::Prose };
        (here, line)
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
        for (within, line) in lines(text) {
            let mut line = line.to_owned();
            if let Some((level, title)) = heading(&line).filter(|_| within == Within::Prose) {
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
                chapter.lines.push((within, line));
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
        for (within, line) in &chapter.lines {
            let is_heading = *within == Within::Prose && line.starts_with('#');
            is_prediction = is_prediction && !is_heading
                || is_heading && line.contains(" Predict {#")
                || line.contains("**Predict.**");
            page += &match within {
                // The marks around code that belongs to a file.
                Within::Comment => match line.split(' ').nth(1) {
                    Some("move" | "excerpt") => "<div class=\"move\">\n".to_owned(),
                    Some("/move" | "/excerpt") => "</div>\n".to_owned(),
                    _ => continue,
                },
                Within::Code if line.starts_with("```") => {
                    is_diff = line.starts_with("```diff");
                    line.split(' ').next().unwrap_or_default().to_owned()
                }
                // What follows is further down in the file, and to be copied by itself.
                Within::Code if is_diff && line == " …" => {
                    "```\n\n<p class=\"gap\">⋮</p>\n\n```diff".to_owned()
                }
                Within::Code => line.clone(),
                // A paragraph ends where the fold does.
                Within::Prose if line == "</details>" => format!("\n{line}\n"),
                Within::Prose if is_prediction && line.starts_with("<details>") => {
                    is_prediction = false;
                    line.replacen("<details>", "<details class=\"prediction\">", 1)
                }
                Within::Prose if line.starts_with("<img ") => {
                    format!("<div class=\"scroll\">{}</div>", self.linked(line))
                }
                Within::Prose => match timeline(line) {
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
