use super::Item;
use syn::spanned::Spanned;
use syn::{Attribute, ImplItem, ItemImpl, TraitItem, Visibility};

/// The items of a file, each before its members. Those of modules within the file are left out.
pub(super) fn items(file: &syn::File) -> Vec<Item> {
    let mut items = Vec::new();
    for item in &file.items {
        let Some((names, attributes)) = names(item) else { continue };
        let parent = items.len();
        items.push(place(item, names, attributes, None));
        match item {
            syn::Item::Impl(block) => members(block, parent, &mut items),
            syn::Item::Trait(definition) => {
                for member in &definition.items {
                    let Some((name, attributes)) = trait_member(member) else { continue };
                    let names = vec![format!("{}::{name}", definition.ident)];
                    items.push(place(member, names, attributes, Some(parent)));
                }
            }
            _ => {}
        }
    }
    items
}

fn place(
    item: &impl Spanned,
    names: Vec<String>,
    attributes: &[Attribute],
    parent: Option<usize>,
) -> Item {
    let span = item.span();
    let first = span.start().line;
    let body = attributes.last().map_or(first, |attribute| attribute.span().end().line + 1);
    Item { names, first, body, last: span.end().line, parent }
}

fn names(item: &syn::Item) -> Option<(Vec<String>, &[Attribute])> {
    use syn::Item::{Const, Enum, Fn, Impl, Macro, Mod, Static, Struct, Trait, Type, Union, Use};
    let one = |name: &dyn ToString| vec![name.to_string()];
    Some(match item {
        Const(item) => (one(&item.ident), &item.attrs),
        Enum(item) => (one(&item.ident), &item.attrs),
        Fn(item) => (one(&item.sig.ident), &item.attrs),
        Static(item) => (one(&item.ident), &item.attrs),
        Struct(item) => (one(&item.ident), &item.attrs),
        Trait(item) => (one(&item.ident), &item.attrs),
        Type(item) => (one(&item.ident), &item.attrs),
        Union(item) => (one(&item.ident), &item.attrs),
        Macro(item) => {
            let name = item.ident.as_ref().or(item.mac.path.segments.last().map(|s| &s.ident))?;
            (one(name), &item.attrs)
        }
        Use(item) => (vec![visible(&item.vis, "use")], &item.attrs),
        Mod(item) => (vec![visible(&item.vis, "mod")], &item.attrs),
        Impl(item) => (implementation(item), &item.attrs),
        _ => return None,
    })
}

/// All of a kind share a name: a text that lists what has changed names them together.
fn visible(visibility: &Visibility, word: &str) -> String {
    let private = matches!(visibility, Visibility::Inherited);
    if private { word.to_owned() } else { format!("pub {word}") }
}

/// `impl Type`; or `Trait for Type`, without and with what the trait has in angle brackets, and with
/// `impl` before it.
fn implementation(block: &ItemImpl) -> Vec<String> {
    let subject = subject(block);
    let Some((path, _)) = &block.trait_ else { return vec![format!("impl {subject}")] };
    let Some(last) = path.segments.last() else { return Vec::new() };
    let mut names = vec![format!("{} for {subject}", last.ident)];
    if !last.arguments.is_none() {
        names.push(format!("{} for {subject}", squeezed(last)));
    }
    names.push(format!("impl {} for {subject}", squeezed(last)));
    names
}

/// The last name in the path of the type that is implemented.
fn subject(block: &ItemImpl) -> String {
    match &*block.self_ty {
        syn::Type::Path(path) => {
            path.path.segments.last().map_or_else(String::new, |segment| segment.ident.to_string())
        }
        other => squeezed(other),
    }
}

/// The source of a piece of syntax without blanks.
fn squeezed(syntax: &impl Spanned) -> String {
    let source = syntax.span().source_text().unwrap_or_default();
    source.split_whitespace().collect()
}

fn members(block: &ItemImpl, parent: usize, items: &mut Vec<Item>) {
    for member in &block.items {
        let (name, attributes) = match member {
            ImplItem::Const(item) => (&item.ident, &item.attrs),
            ImplItem::Fn(item) => (&item.sig.ident, &item.attrs),
            ImplItem::Type(item) => (&item.ident, &item.attrs),
            _ => continue,
        };
        let mut names = vec![format!("{}::{name}", subject(block))];
        names.extend(implementation(block).iter().map(|block| format!("{block}::{name}")));
        items.push(place(member, names, attributes, Some(parent)));
    }
}

fn trait_member(member: &TraitItem) -> Option<(String, &[Attribute])> {
    Some(match member {
        TraitItem::Const(item) => (item.ident.to_string(), &item.attrs),
        TraitItem::Fn(item) => (item.sig.ident.to_string(), &item.attrs),
        TraitItem::Type(item) => (item.ident.to_string(), &item.attrs),
        _ => return None,
    })
}
