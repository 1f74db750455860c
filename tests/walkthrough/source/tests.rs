use super::Source;
use libtest_mimic::Trial;

const TEXT: &str = r#"//! A file.

use std::fmt;
pub use std::io;

/// A type.
#[derive(Clone)] // with a comment
pub struct Type<T> {
    /// A field.
    field: T, // why
}

impl<T> Type<T> {
    const SIZE: usize = 1;

    /// Makes one.
    fn new() -> Self {
        // A comment.
        let text = "a // b
            c"; /* d */
        text
    }
}

impl From<io::Error> for Type<u8> {
    fn from(_: io::Error) -> Self {}
}

impl From<fmt::Error> for Type<u8> {
    fn from(_: fmt::Error) -> Self {}
}

trait Trait {
    type Output;
    fn run(&self);
}
"#;

fn items_are_found_by_every_name_with_their_lines() {
    let source = Source::parse(TEXT).unwrap();
    let found = |name: &str| {
        let items = source.find(name);
        items.iter().map(|item| (item.first, item.body, item.last)).collect::<Vec<_>>()
    };
    assert_eq!(found("Type"), [(6, 8, 11)]);
    assert_eq!(found("impl Type"), [(13, 13, 23)]);
    assert_eq!(found("Type::SIZE"), [(14, 14, 14)]);
    assert_eq!(found("Type::new"), [(16, 17, 22)]);
    assert_eq!(found("impl Type::new"), [(16, 17, 22)]);
    assert_eq!(found("From for Type").len(), 2);
    assert_eq!(found("From<io::Error> for Type"), [(25, 25, 27)]);
    assert_eq!(found("impl From<io::Error> for Type"), [(25, 25, 27)]);
    assert_eq!(found("From<fmt::Error> for Type::from"), [(30, 30, 30)]);
    assert_eq!(found("Type::from").len(), 2);
    assert_eq!(found("Trait"), [(33, 33, 36)]);
    assert_eq!(found("Trait::run"), [(35, 35, 35)]);
    assert_eq!(found("Trait::Output"), [(34, 34, 34)]);
    assert_eq!(found("use"), [(3, 3, 3)]);
    assert_eq!(found("pub use"), [(4, 4, 4)]);
}

fn a_line_belongs_to_the_innermost_item() {
    let source = Source::parse(TEXT).unwrap();
    let name = |line| source.item_at(line).map(|item| item.names[0].as_str());
    assert_eq!(name(2), None);
    assert_eq!(name(13), Some("impl Type"));
    assert_eq!(name(18), Some("Type::new"));
    assert_eq!(name(23), Some("impl Type"));
}

fn code_has_no_comments_but_all_of_its_strings() {
    let source = Source::parse(TEXT).unwrap();
    let lines: Vec<_> = source.code.iter().map(|(line, code)| (*line, code.as_str())).collect();
    assert_eq!(
        lines[..6],
        [
            (3, "use std::fmt;"),
            (4, "pub use std::io;"),
            (7, "#[derive(Clone)]"),
            (8, "pub struct Type<T> {"),
            (10, "field: T,"),
            (11, "}"),
        ]
    );
    let body: Vec<_> = lines.iter().filter(|(line, _)| (17..=22).contains(line)).collect();
    assert_eq!(
        body,
        [
            &(17, "fn new() -> Self {"),
            &(19, "let text = \"a // b"),
            &(20, "c\";"),
            &(21, "text"),
            &(22, "}"),
        ]
    );
}

fn the_lines_of_an_item_lose_their_common_indentation() {
    let source = Source::parse(TEXT).unwrap();
    assert_eq!(source.lines(34, 35), ["type Output;", "fn run(&self);"]);
}

pub fn tests() -> Vec<Trial> {
    crate::tests![
        items_are_found_by_every_name_with_their_lines,
        a_line_belongs_to_the_innermost_item,
        code_has_no_comments_but_all_of_its_strings,
        the_lines_of_an_item_lose_their_common_indentation,
    ]
}
