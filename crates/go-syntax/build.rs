//! Patches the grammar of `tree-sitter-go`, generates the parser from it and compiles the parser.
//!
//! The published grammar does not know `new(expr)` (Go 1.26) and generic methods (Go 1.27). None of its sources are copied: its
//! `grammar.json` is read from where cargo keeps the crate, and three small changes are made to it. Each change asserts what it
//! expects, so that a new upstream version cannot be patched blindly.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

const GO: &str = "tree-sitter-go";
/// As in `[build-dependencies]`.
const VERSION: &str = "0.25.0";
/// Overrides where the grammar's sources are looked for.
const SOURCES: &str = "STOPLEAK_TREE_SITTER_GO";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={SOURCES}");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let json = sources(&out)
        .unwrap_or_else(|e| {
            panic!("no sources of {GO} {VERSION} (set {SOURCES} to their folder): {e}")
        })
        .join("src/grammar.json");
    println!("cargo::rerun-if-changed={}", json.display());

    let text = fs::read(&json).unwrap_or_else(|e| panic!("{}: {e}", json.display()));
    let mut grammar =
        serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{}: {e}", json.display()));
    patch(&mut grammar);
    let (_, parser) = tree_sitter_generate::generate_parser_for_grammar(
        &grammar.to_string(),
        Some((0, 25, 0)),
        Default::default(),
        &mut Vec::new(),
    )
    .unwrap_or_else(|e| panic!("the patched grammar: {e}"));

    fs::create_dir_all(out.join("tree_sitter")).expect("OUT_DIR is writable");
    fs::write(
        out.join("tree_sitter/parser.h"),
        tree_sitter_generate::PARSER_HEADER,
    )
    .expect("OUT_DIR is writable");
    fs::write(out.join("parser.c"), parser).expect("OUT_DIR is writable");
    let mut c = cc::Build::new();
    c.std("c11")
        .warnings(false)
        .include(&out)
        .file(out.join("parser.c"));
    // The parser of an unoptimised build would make every test slow.
    if env::var("OPT_LEVEL").is_ok_and(|level| level == "0") {
        c.opt_level(1);
    }
    if env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|e| e == "msvc") {
        c.flag("-utf-8");
    }
    c.compile("stopleak-go-grammar");
}

fn patch(grammar: &mut Value) {
    let symbol = |name: &str| json!({"type": "SYMBOL", "name": name});
    let named = |members: &[Value], name: &str| members.iter().position(|m| m["name"] == name);

    // The C function becomes tree_sitter_stopleak_go, which cannot clash with the published parser.
    grammar["name"] = json!("stopleak_go");
    grammar["conflicts"]
        .as_array_mut()
        .expect("the grammar has conflicts")
        .push(json!(["type_parameter_declaration", "_simple_type"]));

    // func (r R) Name[T any](…): the field as functions have it, after the name.
    let functions = members(grammar, "/rules/function_declaration/content/members");
    let field = named(functions, "type_parameters").expect("functions have type parameters");
    let field = functions[field].clone();
    let methods = members(grammar, "/rules/method_declaration/content/members");
    assert!(
        named(methods, "type_parameters").is_none(),
        "{GO} knows generic methods now: drop this patch"
    );
    let name = named(methods, "name").expect("methods have a name");
    methods.insert(name + 1, field);

    // new(expr)
    let first = grammar
        .pointer_mut("/rules/special_argument_list/members/1/members/0/members/0")
        .expect("special_argument_list has a first argument");
    assert_eq!(
        *first,
        symbol("_type"),
        "{GO} changed special_argument_list: look at this patch again"
    );
    *first = json!({
        "type": "CHOICE",
        "members": [{"type": "PREC_DYNAMIC", "value": 2, "content": symbol("_type")}, symbol("_expression")],
    });
}

fn members<'a>(grammar: &'a mut Value, pointer: &str) -> &'a mut Vec<Value> {
    grammar
        .pointer_mut(pointer)
        .and_then(Value::as_array_mut)
        .unwrap_or_else(|| panic!("{GO} has no {pointer}"))
}

/// The folder of the published grammar.
fn sources(out: &Path) -> Result<PathBuf, String> {
    if let Some(dir) = env::var_os(SOURCES) {
        return Ok(dir.into());
    }
    // `tree-sitter` sets `links` and tells its include folder. The grammar lies on the same shelf: the registry's sources
    // (name-version) or a vendored directory (name). Needs `tree-sitter` in [dependencies].
    let include = env::var_os("DEP_TREE_SITTER_INCLUDE").map(PathBuf::from);
    if let Some(shelf) = include.as_deref().and_then(|i| i.ancestors().nth(2)) {
        for dir in [shelf.join(format!("{GO}-{VERSION}")), shelf.join(GO)] {
            let manifest = fs::read_to_string(dir.join("Cargo.toml")).unwrap_or_default();
            if manifest
                .lines()
                .any(|l| l == format!("version = \"{VERSION}\""))
            {
                return Ok(dir);
            }
        }
    }
    ask_cargo(out)
}

/// For patched or oddly laid out sources. The manifest is our own: nobody else's lock file, workspace or platform takes part.
fn ask_cargo(out: &Path) -> Result<PathBuf, String> {
    let probe = out.join("probe");
    let manifest = format!(
        "[package]\nname = \"probe\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[lib]\npath = \"lib.rs\"\n\
         [dependencies]\n{GO} = \"={VERSION}\"\n[workspace]\n"
    );
    fs::create_dir_all(&probe)
        .and_then(|()| fs::write(probe.join("lib.rs"), ""))
        .and_then(|()| fs::write(probe.join("Cargo.toml"), manifest))
        .map_err(|e| e.to_string())?;
    let answer = Command::new(env::var_os("CARGO").ok_or("no CARGO")?)
        .args([
            "metadata",
            "--format-version=1",
            "--offline",
            "--quiet",
            "--manifest-path",
        ])
        .arg(probe.join("Cargo.toml"))
        .output()
        .map_err(|e| e.to_string())?;
    if !answer.status.success() {
        return Err(String::from_utf8_lossy(&answer.stderr).into_owned());
    }
    let all: Value = serde_json::from_slice(&answer.stdout).map_err(|e| e.to_string())?;
    let go = all["packages"]
        .as_array()
        .and_then(|p| p.iter().find(|p| p["name"] == GO))
        .ok_or("not in cargo's metadata")?;
    let manifest = Path::new(go["manifest_path"].as_str().unwrap_or_default());
    Ok(manifest.parent().ok_or("no folder")?.to_path_buf())
}
