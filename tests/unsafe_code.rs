//! There is no unsafe code but in two files. The compiler sees to it; this test sees to the compiler's
//! orders: that every package has them, and that nobody else takes them back.

#[path = "support/code.rs"]
mod code;

use code::code;
use std::fs;
use std::path::{Path, PathBuf};

/// The files that may have unsafe code, each with its argument.
const ALLOWED: [&str; 2] = ["benches/peers/src/engines/lmdb.rs", "final/src/disk/map.rs"];

/// The name of the order, which no other file needs to write. Nor does this one.
const ORDER: &str = concat!("unsafe", "_code");

/// All files below the root with this ending, but for what was built.
fn files(ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR"))];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                open.push(path);
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found
}

/// Whether a manifest forbids unsafe code, or denies it where a file needs to allow it again. Where it
/// inherits its orders, those of the workspace count.
fn gives_the_order(manifest: &str, workspace: &str) -> bool {
    let manifest: toml::Table = manifest.parse().unwrap();
    let workspace: toml::Table = workspace.parse().unwrap();
    let own = manifest.get("lints");
    let inherits = own.and_then(|lints| lints.get("workspace")?.as_bool()) == Some(true);
    let inherited = workspace.get("workspace").and_then(|workspace| workspace.get("lints"));
    let lints = if inherits { inherited } else { own };
    let order = lints.and_then(|lints| lints.get("rust")?.get(ORDER)?.as_str());
    matches!(order, Some("forbid" | "deny"))
}

/// Whether a source takes the order back: names it, and not in a comment.
fn takes_it_back(source: &str) -> bool {
    code(source).contains(ORDER)
}

#[test]
fn every_package_is_safe_but_for_two_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifests = files("Cargo.toml");
    // Who inherits is of the workspace at the root: the others have one package each.
    let workspace = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    for path in &manifests {
        // The fuzz targets are made by a macro of the fuzzer, which needs it.
        let order = gives_the_order(&fs::read_to_string(path).unwrap(), &workspace);
        assert!(order || path.ends_with("final/fuzz/Cargo.toml"), "{}", path.display());
    }
    let sources = files(".rs");
    let takes_back = |path: &&PathBuf| takes_it_back(&fs::read_to_string(path).unwrap());
    let mut found: Vec<&Path> =
        sources.iter().filter(takes_back).map(|path| path.strip_prefix(root).unwrap()).collect();
    found.sort();
    assert_eq!(found, ALLOWED.map(Path::new));
    println!(
        "{} packages, {} files, unsafe code in {}",
        manifests.len(),
        sources.len(),
        found.len()
    );
    assert!(manifests.len() >= 11 && sources.len() >= 100);
}

#[test]
fn a_planted_exception_is_noticed() {
    for attribute in
        ["#[allow(ORDER)]", "#![allow(\n    dead_code,\n    ORDER,\n)]", "#[ allow (ORDER)]"]
    {
        let attribute = attribute.replace("ORDER", ORDER);
        assert!(takes_it_back(&format!("fn f() {{\n    {attribute}\n    g();")), "{attribute}");
    }
    assert!(!takes_it_back(&format!("//! There is no `{ORDER}`.\nfn f() {{}}\n")));
    let workspace = format!("[workspace.lints.rust]\n{ORDER} = \"forbid\"");
    assert!(!gives_the_order("[package]\nname = \"p\"", &workspace));
    assert!(!gives_the_order("[lints.rust]\nmissing_docs = \"warn\"", &workspace));
    let inherits = "[lints]\nworkspace = true";
    assert!(gives_the_order(inherits, &workspace));
    assert!(!gives_the_order(inherits, &workspace.replace("forbid", "warn")));
}
