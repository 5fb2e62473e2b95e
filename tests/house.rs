//! The rules of the house, read from the sources: the layer table of DESIGN.md equals the tree,
//! imports go down, `unsafe`, `libc`, `mio` and `cfg` stay where they belong.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A row of DESIGN.md's table.
#[derive(Debug)]
struct Row {
    layer: usize,
    flags: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every source file by its path below src, with its text.
fn sources() -> BTreeMap<String, String> {
    fn walk(dir: &Path, base: &Path, found: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, base, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path
                    .strip_prefix(base)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    let base = root().join("src");
    walk(&base, &base, &mut found);
    found
}

/// The table: `### Layer` headings in order from the ground up, then rows `| file | flags | … |`.
fn table() -> BTreeMap<String, Row> {
    let text = fs::read_to_string(root().join("DESIGN.md")).unwrap();
    let mut layer = 0;
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        if line.starts_with("### Layer ") {
            layer += 1;
        } else if layer > 0
            && line
                .split('|')
                .nth(1)
                .is_some_and(|cell| cell.ends_with(".rs "))
        {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            let row = Row {
                layer,
                flags: cells[2].to_owned(),
            };
            let file = cells[1].trim_matches('`').to_owned();
            assert!(
                rows.insert(file, row).is_none(),
                "DESIGN.md lists a file twice: {line}"
            );
        }
    }
    assert!(rows.len() > 50, "DESIGN.md's table was not found");
    rows
}

/// mod.rs files, lib.rs and macros.rs are tables of contents: they may name anything.
fn is_contents(file: &str) -> bool {
    file.ends_with("mod.rs") || file == "lib.rs" || file == "macros.rs"
}

/// The code of a file: no comments, no strings that matter here.
fn code(text: &str) -> String {
    text.lines()
        .map(|line| line.split("//").next().unwrap_or(""))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The code before the first test or model module.
fn code_without_tests(text: &str) -> String {
    let code = code(text);
    let end = ["#[cfg(all(test", "#[cfg(test)]"]
        .iter()
        .filter_map(|mark| code.find(mark))
        .min()
        .unwrap_or(code.len());
    code[..end].to_owned()
}

/// The crate's files that a file imports.
fn imports(text: &str, files: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for part in code_without_tests(text).split("crate::").skip(1) {
        let path: String = part
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':')
            .collect();
        let mut words: Vec<_> = path.split("::").filter(|word| !word.is_empty()).collect();
        while !words.is_empty() {
            let file = format!("{}.rs", words.join("/"));
            if files.contains_key(&file) {
                found.insert(file);
                break;
            }
            words.pop();
        }
    }
    found
}

#[test]
fn the_table_equals_the_tree() {
    let rows = table();
    let listed: BTreeSet<_> = rows.keys().cloned().collect();
    let there: BTreeSet<_> = sources()
        .into_keys()
        .filter(|file| !is_contents(file))
        .collect();
    let missing: Vec<_> = there.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&there).collect();
    assert!(missing.is_empty(), "not in DESIGN.md's table: {missing:?}");
    assert!(
        gone.is_empty(),
        "in DESIGN.md's table but not in src: {gone:?}"
    );
}

#[test]
fn imports_go_down_and_never_round() {
    let (files, rows) = (sources(), table());
    let mut graph = BTreeMap::new();
    for (file, text) in &files {
        if is_contents(file) {
            continue;
        }
        let own = rows[file].layer;
        let used: BTreeSet<_> = imports(text, &files)
            .into_iter()
            .filter(|f| f != file && !is_contents(f))
            .collect();
        for import in &used {
            assert!(
                rows[import].layer <= own,
                "{file} (layer {own}) imports {import} (layer {})",
                rows[import].layer
            );
        }
        graph.insert(file.clone(), used);
    }
    // Take away what imports nothing that is left, until nothing is left or a circle remains.
    loop {
        let free: Vec<_> = graph
            .iter()
            .filter(|(_, used)| used.is_empty())
            .map(|(f, _)| f.clone())
            .collect();
        if free.is_empty() {
            break;
        }
        for file in &free {
            graph.remove(file);
            for used in graph.values_mut() {
                used.remove(file);
            }
        }
    }
    assert!(graph.is_empty(), "a circle of imports: {graph:#?}");
}

#[test]
fn tables_of_contents_hold_no_logic() {
    for (file, text) in sources() {
        if !file.ends_with("mod.rs") {
            continue;
        }
        for word in [
            "fn ", "impl ", "struct ", "enum ", "trait ", "static ", "let ",
        ] {
            let found = code(&text).lines().any(|line| {
                line.trim_start()
                    .trim_start_matches("pub ")
                    .starts_with(word)
            });
            assert!(!found, "{file} holds logic: {word}");
        }
    }
}

#[test]
fn foreign_names_stay_in_their_places() {
    for (file, text) in sources() {
        let text = code(&text);
        if !file.starts_with("sys/") {
            assert!(
                !text.contains("libc::"),
                "{file}: libc belongs into src/sys"
            );
        }
        let mio =
            file.starts_with("reactor/") || file.starts_with("net/") || file == "io/evented.rs";
        if !mio {
            assert!(
                !text.contains("mio::"),
                "{file}: mio belongs into reactor, net, io/evented"
            );
        }
        if file != "shim.rs" {
            assert!(
                !text.contains("crossbeam_deque"),
                "{file}: crossbeam belongs into shim.rs"
            );
        }
    }
}

#[test]
fn unsafe_stays_in_marked_files_and_gives_reasons() {
    let rows = table();
    for (file, text) in sources() {
        let marked = rows.get(&file).is_some_and(|row| row.flags.contains('U'));
        let forbids = text.contains("#![forbid(unsafe_code)]");
        let allows = text.contains("#![allow(unsafe_code, reason =")
            || text.contains("#![allow(\n    unsafe_code,\n    reason =");
        if is_contents(&file) {
            assert!(!allows, "{file}: a table of contents has no unsafe code");
        } else if marked {
            assert!(
                allows,
                "{file} is marked U and must allow unsafe code with a reason"
            );
        } else {
            assert!(
                forbids,
                "{file} is not marked U and must forbid unsafe code"
            );
        }
    }
}

#[test]
fn atomic_protocols_stay_in_marked_files() {
    let rows = table();
    for (file, text) in sources() {
        if is_contents(&file) || file == "shim.rs" || file.ends_with("_models.rs") {
            continue;
        }
        // A protocol is what needs the checked atomics; counters and flags use std's.
        let protocol = code_without_tests(&text).contains("shim::atomic");
        let marked = rows[&file].flags.contains('A');
        assert_eq!(
            protocol, marked,
            "{file}: uses the shim's atomics, marked A in DESIGN.md"
        );
    }
}

#[test]
fn cfg_is_rare() {
    for (file, text) in sources() {
        for line in code(&text).lines().filter(|line| line.contains("cfg(")) {
            let line = line.trim();
            let allowed = [
                "#[cfg(test)]",
                "#[cfg(all(test, trefoil_loom))]",
                "#[cfg(all(test, not(trefoil_loom)))]",
            ];
            let known = allowed.contains(&line)
                || file == "shim.rs"
                || (file == "lib.rs" && line == "#[cfg(not(target_os = \"linux\"))]");
            assert!(known, "{file}: {line}");
        }
    }
}

#[test]
fn no_public_awaitable_is_an_async_fn_and_nothing_is_a_stub() {
    for (file, text) in sources() {
        let text = code(&text);
        assert!(
            !text.contains("pub async fn"),
            "{file}: a named #[track_caller] future instead"
        );
        for stub in ["todo!(", "unimplemented!("] {
            assert!(!text.contains(stub), "{file}: {stub}");
        }
    }
}

#[test]
fn the_count_of_unsafe_is_the_one_design_states() {
    let mut count = 0;
    for (file, text) in sources() {
        if !file.ends_with("_models.rs") {
            let code = code_without_tests(&text);
            count += code.matches("unsafe {").count() + code.matches("unsafe impl").count();
        }
    }
    let design = fs::read_to_string(root().join("DESIGN.md")).unwrap();
    let stated = format!("{count} unsafe blocks and impls");
    assert!(design.contains(&stated), "DESIGN.md must state: {stated}");
}
