//! `stopleak rule`: what a rule finds and why, in the terminal.

use std::io::{self, Write};

use leak_rules::{MetaRule, RuleMeta, Severity};
use serde::Serialize;

use crate::cli::{RuleArgs, TextOrJson};
use crate::exit::{Outcome, Status};
use crate::output::{rule_url, severity_name};
use crate::terminal::{BOLD, CYAN, DIM, GREEN};

#[derive(Serialize)]
struct Rule {
    name: &'static str,
    family: &'static str,
    severity: &'static str,
    summary: &'static str,
    fixes: &'static str,
    overlaps: &'static [&'static str],
    tests: bool,
    since: &'static str,
    url: String,
    docs: &'static str,
}

impl From<&'static RuleMeta> for Rule {
    fn from(rule: &'static RuleMeta) -> Self {
        Self {
            name: rule.name,
            family: rule.family.name(),
            severity: severity_name(rule.severity),
            summary: rule.summary,
            fixes: rule.fixes,
            overlaps: rule.overlaps,
            tests: rule.tests,
            since: rule.since,
            url: rule_url(rule.name),
            docs: &rule.docs,
        }
    }
}

impl From<&'static MetaRule> for Rule {
    fn from(rule: &'static MetaRule) -> Self {
        Self {
            name: rule.name,
            family: "comments",
            severity: severity_name(rule.severity),
            summary: rule.summary,
            fixes: rule.fixes,
            overlaps: &[],
            tests: true,
            since: rule.since,
            url: rule_url(rule.name),
            docs: rule.docs,
        }
    }
}

/// Explains one rule or lists all.
pub fn run(args: &RuleArgs) -> Outcome {
    let mut out = anstream::AutoStream::auto(io::stdout()).lock();
    match (&args.name, args.format) {
        (None, TextOrJson::Text) => list(&mut out)?,
        (None, TextOrJson::Json) => {
            json(
                &mut out,
                &leak_rules::rules()
                    .iter()
                    .map(Rule::from)
                    .collect::<Vec<_>>(),
            )?;
        }
        (Some(name), format) => {
            let rule = leak_rules::rule(name)
                .map(Rule::from)
                .or_else(|| leak_rules::meta_rule(name).map(Rule::from))
                .ok_or_else(|| match stopleak_config::similar_rule(name) {
                    Some(similar) => {
                        format!("there is no rule `{name}`; did you mean `{similar}`?")
                    }
                    None => format!("there is no rule `{name}`; `stopleak rule` lists all"),
                })?;
            match format {
                TextOrJson::Text => page(&mut out, &rule)?,
                TextOrJson::Json => json(&mut out, &rule)?,
            }
        }
    }
    out.flush()?;
    Ok(Status::Clean)
}

fn json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

fn list<W: Write>(out: &mut W) -> io::Result<()> {
    let width = leak_rules::rules()
        .iter()
        .map(|rule| rule.name.len())
        .max()
        .unwrap_or(0);
    let row = |out: &mut W, name: &str, severity: Severity, summary: &str| {
        let severity = severity_name(severity);
        writeln!(out, "{CYAN}{name:width$}{CYAN:#}  {severity:11}  {summary}")
    };
    for rule in leak_rules::rules() {
        row(out, rule.name, rule.severity, rule.summary)?;
    }
    writeln!(out, "\nAbout comments to stopleak:")?;
    for rule in leak_rules::meta_rules() {
        row(out, rule.name, rule.severity, rule.summary)?;
    }
    writeln!(out, "\n{DIM}`stopleak rule NAME` explains a rule.{DIM:#}")
}

fn page(out: &mut impl Write, rule: &Rule) -> io::Result<()> {
    writeln!(out, "{BOLD}{}{BOLD:#}: {}\n", rule.name, rule.summary)?;
    let tests = if rule.tests {
        "runs on test files too"
    } else {
        "does not run on test files"
    };
    writeln!(
        out,
        "{DIM}{}, {}, since {}, {tests}{DIM:#}",
        rule.family, rule.severity, rule.since
    )?;
    if !rule.overlaps.is_empty() {
        writeln!(
            out,
            "{DIM}overlaps with {}{DIM:#}",
            rule.overlaps.join(", ")
        )?;
    }
    writeln!(out, "{DIM}{}{DIM:#}\n", rule.url)?;
    markdown(out, rule.docs.trim())
}

/// Writes Markdown for reading in a terminal: headings bold, code indented and coloured, links as text. Lines stay as they are.
fn markdown(out: &mut impl Write, text: &str) -> io::Result<()> {
    let mut in_code = false;
    for line in text.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        } else if in_code {
            writeln!(
                out,
                "{}",
                format!("    {CYAN}{}{CYAN:#}", line.replace('\t', "    ")).trim_end()
            )?;
        } else if let Some(heading) = line.strip_prefix("## ") {
            writeln!(out, "{GREEN}{BOLD}{heading}{BOLD:#}{GREEN:#}")?;
        } else {
            inline(out, line)?;
            writeln!(out)?;
        }
    }
    Ok(())
}

/// One line with `code` and [links](…).
fn inline(out: &mut impl Write, line: &str) -> io::Result<()> {
    let mut rest = line;
    loop {
        let Some(at) = rest.find(['`', '[']) else {
            return write!(out, "{rest}");
        };
        let (before, special) = rest.split_at(at);
        write!(out, "{before}")?;
        if let Some(code) = special.strip_prefix('`') {
            let Some((code, after)) = code.split_once('`') else {
                return write!(out, "{special}");
            };
            write!(out, "{CYAN}{code}{CYAN:#}")?;
            rest = after;
        } else if let Some((label, link)) = special[1..].split_once("](")
            && let Some((target, after)) = link.split_once(')')
        {
            write!(out, "{} {DIM}<{target}>{DIM:#}", label.replace('`', ""))?;
            rest = after;
        } else {
            write!(out, "[")?;
            rest = &special[1..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_is_readable_without_colours() {
        let mut out = Vec::new();
        let text =
            "## What\nSee [`a.B`](https://x.y) and `c[0]`.\n```go\n\tx := 1\n```\n- a [b] c\n";
        markdown(&mut out, text).expect("writes");
        let plain =
            anstream::adapter::strip_str(std::str::from_utf8(&out).expect("text")).to_string();
        assert_eq!(
            plain,
            "What\nSee a.B <https://x.y> and c[0].\n        x := 1\n- a [b] c\n"
        );
    }
}
