//! Files that are made from the code: each has one source of truth, and CI checks that they are current.

use std::fs;
use std::path::{Path, PathBuf};

use leak_rules::{Family, MetaRule, RuleMeta, Severity};
use serde_json::{Map, Value};

use crate::Outcome;

/// Arguments of `xtask generate`.
#[derive(clap::Args)]
pub struct Args {
    /// Write nothing; fail when a file is not current.
    #[arg(long)]
    check: bool,
}

/// Writes or checks all generated files.
pub fn run(args: &Args) -> Outcome {
    let root = crate::root();
    let mut stale = Vec::new();
    for (path, text) in files(&root)? {
        let full = root.join(&path);
        if fs::read_to_string(&full).is_ok_and(|current| current == text) {
            continue;
        }
        if !args.check {
            if let Some(folder) = full.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(&full, text)?;
            println!("wrote {}", path.display());
        }
        stale.push(path);
    }
    if args.check && !stale.is_empty() {
        let names: Vec<_> = stale
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        return Err(format!(
            "not current: {}; run `cargo xtask generate`",
            names.join(", ")
        )
        .into());
    }
    Ok(())
}

type Files = Vec<(PathBuf, String)>;

fn files(root: &Path) -> Result<Files, Box<dyn std::error::Error>> {
    let mut files: Files = leak_rules::rules()
        .iter()
        .map(|rule| {
            (
                PathBuf::from(format!("docs/rules/{}.md", rule.name)),
                rule_page(rule),
            )
        })
        .collect();
    files.extend(leak_rules::meta_rules().iter().map(|rule| {
        (
            PathBuf::from(format!("docs/rules/{}.md", rule.name)),
            meta_page(rule),
        )
    }));
    files.push(("docs/rules/README.md".into(), rule_index()));
    files.push((
        "docs/stopleak.schema.json".into(),
        json(&stopleak_config::json_schema())?,
    ));
    let rules = rule_table("docs/rules/", |_| true).unwrap_or_default();
    files.push(filled(root, "README.md", &[("rules", rules)])?);
    let options = option_table(&serde_json::to_value(stopleak_config::json_schema())?);
    let settings = setting_table(&vscode_settings()?);
    files.push(filled(
        root,
        "docs/configuration.md",
        &[("options", options), ("settings", settings)],
    )?);
    let package = PathBuf::from("editors/vscode/package.json");
    if let Ok(text) = fs::read_to_string(root.join(&package)) {
        let mut value: Value = serde_json::from_str(&text)?;
        value["contributes"]["configuration"]["title"] = "stopleak".into();
        value["contributes"]["configuration"]["properties"] = vscode_settings()?;
        files.push((package, json(&value)?));
    }
    Ok(files)
}

fn json(value: &impl serde::Serialize) -> Result<String, Box<dyn std::error::Error>> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    Ok(text)
}

const MADE: &str = "<!-- Made by `cargo xtask generate`. Edit the doc comment of the rule's source file instead. -->\n";

/// The page of a rule.
fn rule_page(rule: &RuleMeta) -> String {
    let mut page = format!(
        "{MADE}\n# {}\n\n{}.\n\n",
        rule.name,
        capitalised(rule.summary)
    );
    let overlaps = if rule.overlaps.is_empty() {
        "nothing known".to_owned()
    } else {
        let names: Vec<String> = rule
            .overlaps
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        format!(
            "{} (`overlaps = \"off\"` in `stopleak.toml` switches the rule off)",
            names.join(", ")
        )
    };
    let source = Path::new("../..").join(rule.source);
    let rows = [
        ("Family", rule.family.name().to_owned()),
        ("Severity", severity(rule.severity).to_owned()),
        ("Fixes", rule.fixes.to_owned()),
        (
            "Runs on test files",
            if rule.tests { "yes" } else { "no" }.to_owned(),
        ),
        ("Overlaps with", overlaps),
        ("Since", rule.since.to_owned()),
        ("Source", format!("[{}]({})", rule.source, source.display())),
    ];
    page.push_str("| | |\n|---|---|\n");
    for (name, value) in rows {
        page.push_str(&format!("| {name} | {} |\n", cell(&value)));
    }
    page.push('\n');
    page.push_str(rule.docs.trim());
    page.push_str(&format!(
        "\n\n## Switch it off\nOn one line: `//stopleak:ignore {name} -- reason`. In one file: `//stopleak:ignore-file {name} -- reason`. \
         Everywhere: `ignore = [\"{name}\"]` in `stopleak.toml`.\n",
        name = rule.name
    ));
    page
}

/// The page of findings about comments to stopleak.
fn meta_page(rule: &MetaRule) -> String {
    let mut page = format!(
        "{MADE}\n# {}\n\n{}.\n\n| | |\n|---|---|\n",
        rule.name,
        capitalised(rule.summary)
    );
    for (name, value) in [
        ("Severity", severity(rule.severity)),
        ("Fixes", rule.fixes),
        ("Since", rule.since),
    ] {
        page.push_str(&format!("| {name} | {} |\n", cell(value)));
    }
    page.push_str(&format!(
        "\n{}\n\n## Switch it off\nEverywhere: `ignore = [\"{}\"]` in `stopleak.toml`.\n",
        rule.docs.trim(),
        rule.name
    ));
    page
}

/// The list of all rules.
fn rule_index() -> String {
    let mut page = format!("{MADE}\n# Rules\n\n");
    for family in [Family::Resources, Family::Goroutines, Family::Memory] {
        let table = rule_table("", |rule| rule.family == family);
        if let Some(table) = table {
            page.push_str(&format!("## {}\n\n{table}\n", capitalised(family.name())));
        }
    }
    page.push_str("## Comments to stopleak\n\n| | severity | finds |\n|---|---|---|\n");
    for rule in leak_rules::meta_rules() {
        page.push_str(&format!(
            "| [`{name}`]({name}.md) | {} | {} |\n",
            severity(rule.severity),
            cell(rule.summary),
            name = rule.name
        ));
    }
    page.push('\n');
    page.push_str(
        "Severities: `warning` is a leak on a path that is shown; `information` is a design that grows or waits without a bound; \
         `hint` is off the beaten path or depends on an old Go version. A rule's page says when a finding is weaker than the table.\n",
    );
    page
}

/// The rules as a table; links are below `prefix`. `None` when there is no such rule.
fn rule_table(prefix: &str, wanted: impl Fn(&RuleMeta) -> bool) -> Option<String> {
    let mut rows = String::new();
    for rule in leak_rules::rules().iter().filter(|rule| wanted(rule)) {
        rows.push_str(&format!(
            "| [`{name}`]({prefix}{name}.md) | {} | {} | {} |\n",
            severity(rule.severity),
            cell(rule.summary),
            cell(rule.fixes),
            name = rule.name,
        ));
    }
    (!rows.is_empty())
        .then(|| format!("| rule | severity | finds | fixes |\n|---|---|---|---|\n{rows}"))
}

/// `text` with what lies between the two markers replaced.
fn between_markers(
    text: &str,
    name: &str,
    content: &str,
) -> Result<String, Box<dyn std::error::Error>> {
    let (begin, end) = (
        format!("<!-- begin {name} -->"),
        format!("<!-- end {name} -->"),
    );
    let start = text
        .find(&begin)
        .ok_or_else(|| format!("no marker {begin}"))?
        + begin.len();
    let stop = text[start..]
        .find(&end)
        .ok_or_else(|| format!("no marker {end}"))?
        + start;
    Ok(format!(
        "{}\n{}\n{}",
        &text[..start],
        content.trim(),
        &text[stop..]
    ))
}

/// A file with what lies between its markers made anew.
fn filled(
    root: &Path,
    path: &str,
    parts: &[(&str, String)],
) -> Result<(PathBuf, String), Box<dyn std::error::Error>> {
    let mut text =
        fs::read_to_string(root.join(path)).map_err(|error| format!("{path}: {error}"))?;
    for (name, content) in parts {
        text = between_markers(&text, name, content).map_err(|error| format!("{path}: {error}"))?;
    }
    Ok((path.into(), text))
}

/// The options of `stopleak.toml`, from its schema.
fn option_table(schema: &Value) -> String {
    let mut rows = String::from("| option | default | meaning |\n|---|---|---|\n");
    option_rows(schema, schema, "", &mut rows);
    rows
}

fn option_rows(schema: &Value, at: &Value, prefix: &str, rows: &mut String) {
    for (name, property) in at["properties"].as_object().into_iter().flatten() {
        let target = property["$ref"]
            .as_str()
            .and_then(|path| schema.pointer(path.trim_start_matches('#')));
        if let Some(target) = target.filter(|target| target["properties"].is_object()) {
            option_rows(schema, target, &format!("{prefix}{name}."), rows);
            continue;
        }
        let entry = property["items"]["$ref"]
            .as_str()
            .and_then(|path| schema.pointer(path.trim_start_matches('#')))
            .filter(|entry| entry["properties"].is_object());
        if let Some(entry) = entry {
            let meaning = cell(property["description"].as_str().unwrap_or_default());
            rows.push_str(&format!("| `[[{prefix}{name}]]` | none | {meaning} |\n"));
            option_rows(schema, entry, &format!("{prefix}{name}."), rows);
            continue;
        }
        let default = match &property["default"] {
            Value::Null => "none".to_owned(),
            value => format!("`{value}`"),
        };
        let meaning = cell(property["description"].as_str().unwrap_or_default());
        rows.push_str(&format!("| `{prefix}{name}` | {default} | {meaning} |\n"));
    }
}

/// The settings of editors, from those of the VS Code package.
fn setting_table(settings: &Value) -> String {
    let mut rows = String::from("| setting | default | meaning |\n|---|---|---|\n");
    for (name, setting) in settings.as_object().into_iter().flatten() {
        let choices = match setting["enum"].as_array() {
            Some(choices) => {
                let choices: Vec<String> =
                    choices.iter().map(|choice| format!("`{choice}`")).collect();
                format!(" One of {}.", choices.join(", "))
            }
            None => String::new(),
        };
        let meaning = cell(setting["markdownDescription"].as_str().unwrap_or_default());
        rows.push_str(&format!(
            "| `{name}` | `{}` | {meaning}{choices} |\n",
            setting["default"]
        ));
    }
    rows
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Information => "information",
        Severity::Hint => "hint",
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The settings of the VS Code package: the schema of the editor settings with dotted names and without references.
fn vscode_settings() -> Result<Value, Box<dyn std::error::Error>> {
    let schema = serde_json::to_value(stopleak_config::editor_schema())?;
    let mut properties = Map::new();
    flatten(&schema, &schema, "stopleak", &mut properties);
    Ok(Value::Object(properties))
}

fn flatten(schema: &Value, at: &Value, prefix: &str, into: &mut Map<String, Value>) {
    let Some(properties) = at["properties"].as_object() else {
        return;
    };
    for (name, property) in properties {
        let name = format!("{prefix}.{name}");
        let mut merged = Map::new();
        if let Some(target) = property["$ref"]
            .as_str()
            .and_then(|path| schema.pointer(path.trim_start_matches('#')))
        {
            if target["properties"].is_object() {
                flatten(schema, target, &name, into);
                continue;
            }
            merged.extend(target.as_object().cloned().unwrap_or_default());
        }
        merged.extend(property.as_object().cloned().unwrap_or_default());
        merged.remove("$ref");
        merged.remove("format");
        if let Some(choices) = merged.remove("oneOf") {
            let choices = choices.as_array().cloned().unwrap_or_default();
            merged.insert("type".into(), "string".into());
            merged.insert(
                "enum".into(),
                choices
                    .iter()
                    .map(|choice| choice["const"].clone())
                    .collect(),
            );
            merged.insert(
                "enumDescriptions".into(),
                choices
                    .iter()
                    .map(|choice| choice["description"].clone())
                    .collect(),
            );
        }
        if let Some(text) = merged.remove("description") {
            merged.insert("markdownDescription".into(), text);
        }
        into.insert(name, Value::Object(merged));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_files_are_current() {
        let root = crate::root();
        for (path, text) in files(&root).expect("generates") {
            let current = fs::read_to_string(root.join(&path)).unwrap_or_default();
            assert!(
                current == text,
                "{} is not current: run `cargo xtask generate`",
                path.display()
            );
        }
    }

    #[test]
    fn editor_settings_have_a_text_a_type_and_a_default() {
        let settings = vscode_settings().expect("generates");
        for (name, setting) in settings.as_object().expect("an object") {
            assert!(
                setting["markdownDescription"].is_string(),
                "{name}: {setting}"
            );
            assert!(setting["type"].is_string(), "{name}: {setting}");
            assert!(!setting["default"].is_null(), "{name}: {setting}");
        }
        assert_eq!(
            settings["stopleak.run"]["enum"],
            serde_json::json!(["onType", "onSave"])
        );
        assert!(settings["stopleak.trace.server"].is_object());
    }

    /// Names of the direct dependencies of all crates, except of our own.
    fn dependencies(root: &Path) -> std::collections::BTreeSet<String> {
        let mut names = std::collections::BTreeSet::new();
        let own: Vec<String> = fs::read_dir(root.join("crates"))
            .expect("folder")
            .map(|entry| {
                entry
                    .expect("entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        for name in &own {
            let manifest = fs::read_to_string(root.join("crates").join(name).join("Cargo.toml"))
                .expect("manifest");
            let manifest: toml::Table = manifest.parse().expect("TOML");
            let targets = manifest
                .get("target")
                .and_then(toml::Value::as_table)
                .into_iter()
                .flatten();
            let tables = targets
                .filter_map(|(_, target)| target.as_table())
                .chain([&manifest])
                .flat_map(|table| {
                    ["dependencies", "dev-dependencies", "build-dependencies"]
                        .map(|kind| table.get(kind))
                })
                .flatten()
                .filter_map(toml::Value::as_table);
            names.extend(tables.flat_map(|table| table.keys().cloned()));
        }
        names.retain(|name| !own.contains(name));
        names
    }

    #[test]
    fn every_dependency_has_its_line() {
        let root = crate::root();
        let page = fs::read_to_string(root.join("docs/architecture.md")).expect("the page");
        let (_, list) = page
            .split_once("<!-- dependencies -->")
            .expect("the marker");
        let listed: std::collections::BTreeSet<String> = list
            .lines()
            .filter_map(|line| Some(line.strip_prefix("- `")?.split_once('`')?.0.to_owned()))
            .collect();
        let used = dependencies(&root);
        let missing: Vec<_> = used.difference(&listed).collect();
        assert!(missing.is_empty(), "without a line: {missing:?}");
    }
}
