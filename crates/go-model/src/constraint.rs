//! Build constraints: `//go:build` lines and file-name suffixes, and the contexts under which a file is built.
//!
//! The rules are those of `go/build` (`go help buildconstraint`); the old `// +build` lines, which the Go toolchain stopped reading
//! for modules of Go 1.18 and later, are ignored.

use crate::db::BuildConfig;

/// Operating systems known to `go/build`; the order is the one in which a context for an excluded file is looked for.
pub const GOOS: &[&str] = &[
    "linux",
    "darwin",
    "windows",
    "freebsd",
    "netbsd",
    "openbsd",
    "dragonfly",
    "solaris",
    "illumos",
    "aix",
    "android",
    "ios",
    "plan9",
    "js",
    "wasip1",
    "hurd",
    "nacl",
    "zos",
];

/// Architectures known to `go/build`; the order is the one in which a context for an excluded file is looked for.
pub const GOARCH: &[&str] = &[
    "amd64",
    "arm64",
    "386",
    "arm",
    "riscv64",
    "loong64",
    "ppc64le",
    "ppc64",
    "s390x",
    "wasm",
    "mips",
    "mipsle",
    "mips64",
    "mips64le",
    "amd64p32",
    "armbe",
    "arm64be",
    "mips64p32",
    "mips64p32le",
    "ppc",
    "riscv",
    "s390",
    "sparc",
    "sparc64",
];

const UNIX: &[&str] = &[
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "linux",
    "netbsd",
    "openbsd",
    "solaris",
];

/// A `//go:build` expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constraint {
    /// A tag.
    Tag(Box<str>),
    /// `!x`.
    Not(Box<Constraint>),
    /// `x && y`.
    And(Box<Constraint>, Box<Constraint>),
    /// `x || y`.
    Or(Box<Constraint>, Box<Constraint>),
}

impl Constraint {
    /// Reads what follows `//go:build`. `None` if it is not a complete expression (or absurdly long).
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > 4096 {
            return None;
        }
        let mut parser = Parser {
            rest: text,
            depth: 0,
        };
        let expr = parser.or()?;
        parser.rest.trim_start().is_empty().then_some(expr)
    }

    /// Whether it holds if exactly the tags for which `tag` says yes are set.
    pub fn eval(&self, tag: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Self::Tag(t) => tag(t),
            Self::Not(x) => !x.eval(tag),
            Self::And(x, y) => x.eval(tag) && y.eval(tag),
            Self::Or(x, y) => x.eval(tag) || y.eval(tag),
        }
    }

    /// All tags in it, in order, with repetitions.
    pub fn tags<'a>(&'a self, out: &mut Vec<&'a str>) {
        match self {
            Self::Tag(t) => out.push(t),
            Self::Not(x) => x.tags(out),
            Self::And(x, y) | Self::Or(x, y) => {
                x.tags(out);
                y.tags(out);
            }
        }
    }

    /// The minor Go version that it implies, as `go/build/constraint.GoVersion` computes it: 21 for `go1.21 && linux`.
    pub fn min_go_minor(&self) -> Option<u32> {
        self.min_version(true)
    }

    fn min_version(&self, positive: bool) -> Option<u32> {
        match self {
            Self::Tag(t) => {
                if !positive {
                    return None;
                }
                if &**t == "go1" {
                    return Some(0);
                }
                t.strip_prefix("go1.")?.parse().ok()
            }
            Self::Not(x) => x.min_version(!positive),
            Self::And(x, y) | Self::Or(x, y) => {
                let (x, y) = (x.min_version(positive), y.min_version(positive));
                // Both must hold: the greater counts. One of them must hold: only what both imply.
                if matches!(self, Self::And(..)) == positive {
                    x.max(y)
                } else {
                    x.min(y)
                }
            }
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
    depth: u32,
}

impl Parser<'_> {
    fn eat(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn or(&mut self) -> Option<Constraint> {
        let mut x = self.and()?;
        while self.eat("||") {
            x = Constraint::Or(Box::new(x), Box::new(self.and()?));
        }
        Some(x)
    }

    fn and(&mut self) -> Option<Constraint> {
        let mut x = self.not()?;
        while self.eat("&&") {
            x = Constraint::And(Box::new(x), Box::new(self.not()?));
        }
        Some(x)
    }

    fn not(&mut self) -> Option<Constraint> {
        self.depth += 1;
        if self.depth > 500 {
            return None;
        }
        let result = if self.eat("!") {
            Some(Constraint::Not(Box::new(self.not()?)))
        } else if self.eat("(") {
            let x = self.or()?;
            self.eat(")").then_some(x)
        } else {
            self.rest = self.rest.trim_start();
            let end = self
                .rest
                .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
                .unwrap_or(self.rest.len());
            let (tag, rest) = self.rest.split_at(end);
            self.rest = rest;
            (!tag.is_empty()).then(|| Constraint::Tag(tag.into()))
        };
        self.depth -= 1;
        result
    }
}

/// A build: what the constraints are evaluated for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Context {
    /// `GOOS`.
    pub goos: String,
    /// `GOARCH`.
    pub goarch: String,
    /// Further tags that are set, and with a `!` before them tags that are not set although they are by default; sorted.
    pub tags: Vec<String>,
    /// Whether cgo is on.
    pub cgo: bool,
    /// The newest release whose tag (`go1.N`) is set; `None`: all are.
    pub go_minor: Option<u32>,
}

impl Context {
    /// The context of a configuration.
    pub fn new(config: &BuildConfig) -> Self {
        let mut tags = config.tags.clone();
        tags.sort();
        tags.dedup();
        Self {
            goos: config.goos.clone(),
            goarch: config.goarch.clone(),
            tags,
            cgo: config.cgo,
            go_minor: None,
        }
    }

    /// Whether a tag is set.
    pub fn has_tag(&self, tag: &str) -> bool {
        if let Some(explicit) = self
            .tags
            .iter()
            .find(|t| t.strip_prefix('!').unwrap_or(t) == tag)
        {
            return !explicit.starts_with('!');
        }
        if self.os_matches(tag) || tag == self.goarch {
            return true;
        }
        if let Some(minor) = tag.strip_prefix("go1.") {
            return minor
                .parse::<u32>()
                .is_ok_and(|m| self.go_minor.is_none_or(|max| m <= max));
        }
        if let Some(experiment) = tag.strip_prefix("goexperiment.") {
            return self.has_experiment(experiment);
        }
        match tag {
            "cgo" => self.cgo,
            "gc" | "go1" => true,
            "unix" => UNIX.contains(&&*self.goos),
            // On by default since Go 1.27 (internal/buildcfg/exp.go), and the standard library's own files depend on it.
            "goexperiment.jsonv2" => self.go_minor.is_none_or(|m| m >= 27),
            // The lowest level of an architecture's features is always there.
            "amd64.v1" => self.goarch == "amd64",
            "arm64.v8.0" => self.goarch == "arm64",
            "386.sse2" => self.goarch == "386",
            "arm.5" => self.goarch == "arm",
            _ => false,
        }
    }

    /// Experiments that are on by default in Go 1.27, from the distribution's `internal/buildcfg/exp.go`.
    fn has_experiment(&self, name: &str) -> bool {
        match name {
            "regabiwrappers" | "regabiargs" => matches!(
                &*self.goarch,
                "amd64" | "arm64" | "loong64" | "ppc64le" | "ppc64" | "riscv64" | "s390x"
            ),
            "dwarf5" => !matches!(&*self.goos, "darwin" | "ios" | "aix"),
            "randomizedheapbase64" | "greenteagc" | "jsonv2" | "sizespecializedmalloc" => true,
            _ => false,
        }
    }

    /// Android is a Linux, illumos a Solaris and iOS a Darwin to constraints.
    fn os_matches(&self, os: &str) -> bool {
        os == self.goos
            || matches!(
                (&*self.goos, os),
                ("android", "linux") | ("illumos", "solaris") | ("ios", "darwin")
            )
    }

    /// Whether a file of that name with that `//go:build` line is part of the build.
    pub fn includes(&self, file_name: &str, constraint: Option<&Constraint>) -> bool {
        self.includes_name(file_name) && constraint.is_none_or(|c| c.eval(&|tag| self.has_tag(tag)))
    }

    /// Whether the name alone admits the file: its `_GOOS_GOARCH` suffix, and no leading `_` or `.`.
    pub fn includes_name(&self, file_name: &str) -> bool {
        if file_name.starts_with(['_', '.']) {
            return false;
        }
        let (os, arch) = name_suffix(file_name);
        os.is_none_or(|os| self.os_matches(os)) && arch.is_none_or(|arch| arch == self.goarch)
    }
}

/// The operating system and architecture in a file name: `x_windows_arm64_test.go`.
pub fn name_suffix(file_name: &str) -> (Option<&str>, Option<&str>) {
    let stem = file_name.split('.').next().unwrap_or_default();
    let stem = stem.strip_suffix("_test").unwrap_or(stem);
    // The part before the first underscore is never a constraint: `linux.go` is for everybody.
    let Some((_, suffix)) = stem.split_once('_') else {
        return (None, None);
    };
    let mut parts = suffix.rsplit('_');
    let last = parts.next().unwrap_or_default();
    if GOARCH.contains(&last) {
        let os = parts.next().filter(|os| GOOS.contains(os));
        return (os, Some(last));
    }
    if GOOS.contains(&last) {
        (Some(last), None)
    } else {
        (None, None)
    }
}

/// The context nearest to `base` under which the file is built; `None` if there is none, or if its only way into a build is the
/// tag `ignore`, by which unrelated programs are kept out of a package.
pub fn context_for(
    base: &Context,
    file_name: &str,
    constraint: Option<&Constraint>,
) -> Option<Context> {
    if base.includes(file_name, constraint) {
        return Some(base.clone());
    }
    if file_name.starts_with(['_', '.']) {
        return None;
    }
    let (name_os, name_arch) = name_suffix(file_name);
    let mut mentioned = Vec::new();
    if let Some(c) = constraint {
        c.tags(&mut mentioned);
    }
    mentioned.sort_unstable();
    mentioned.dedup();
    let mut systems = vec![name_os.unwrap_or(&base.goos)];
    let mut archs = vec![name_arch.unwrap_or(&base.goarch)];
    if name_os.is_none() && mentioned.iter().any(|t| GOOS.contains(t) || *t == "unix") {
        systems.extend(GOOS);
    }
    if name_arch.is_none()
        && mentioned
            .iter()
            .any(|t| GOARCH.contains(t) || t.contains('.'))
    {
        archs.extend(GOARCH);
    }
    let minors: Vec<Option<u32>> = std::iter::once(base.go_minor)
        .chain(
            mentioned
                .iter()
                .filter_map(|t| t.strip_prefix("go1.")?.parse::<u32>().ok())
                .map(|m| Some(m.saturating_sub(1))),
        )
        .collect();
    let cgo = [base.cgo, !base.cgo];
    let free: Vec<&str> = mentioned
        .iter()
        .copied()
        .filter(|t| {
            !GOOS.contains(t)
                && !GOARCH.contains(t)
                && !t.starts_with("go1")
                && !matches!(*t, "unix" | "cgo" | "gc" | "ignore")
        })
        .take(6)
        .collect();
    // Fewest extra tags first; tags of the base that stand in the way may be dropped last.
    let mut subsets: Vec<u32> = (0..1u32 << free.len()).collect();
    subsets.sort_by_key(|s| s.count_ones());
    for &flip in &subsets {
        for &go_minor in &minors {
            for &cgo in if mentioned.contains(&"cgo") {
                &cgo[..]
            } else {
                &cgo[..1]
            } {
                for arch in &archs {
                    for os in &systems {
                        let mut tags = base.tags.clone();
                        for (i, tag) in free.iter().enumerate() {
                            if flip & (1 << i) != 0 {
                                match tags.iter().position(|t| t == tag) {
                                    Some(at) => drop(tags.remove(at)),
                                    None if base.has_tag(tag) => tags.push(format!("!{tag}")),
                                    None => tags.push((*tag).to_owned()),
                                }
                            }
                        }
                        tags.sort();
                        let context = Context {
                            goos: (*os).to_owned(),
                            goarch: (*arch).to_owned(),
                            tags,
                            cgo,
                            go_minor,
                        };
                        if context.includes(file_name, constraint) {
                            return Some(context);
                        }
                    }
                }
            }
        }
    }
    None
}

/// What stands above a file's declarations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header<'a> {
    /// The name in the package clause.
    pub package: Option<&'a str>,
    /// The text behind `//go:build`; the first such line counts.
    pub constraint: Option<&'a str>,
}

/// Reads the package clause and the build constraint without parsing the file.
pub fn scan_header(text: &str) -> Header<'_> {
    let mut header = Header::default();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n', ';']);
        if let Some(comment) = rest.strip_prefix("//") {
            let end = memchr_newline(comment);
            let line = &comment[..end];
            if let Some(expr) = line.strip_prefix("go:build")
                && expr.starts_with([' ', '\t'])
                && header.constraint.is_none()
            {
                header.constraint = Some(expr.trim());
            }
            rest = &comment[end..];
        } else if let Some(comment) = rest.strip_prefix("/*") {
            let Some(end) = comment.find("*/") else {
                return header;
            };
            rest = &comment[end + 2..];
        } else if let Some(clause) = rest.strip_prefix("package") {
            if !clause.starts_with(|c: char| c.is_whitespace() || c == '/') {
                return header;
            }
            let mut name = clause.trim_start();
            // `package /* why not */ a`
            while let Some(comment) = name.strip_prefix("/*") {
                let Some(end) = comment.find("*/") else {
                    return header;
                };
                name = comment[end + 2..].trim_start();
            }
            let end = name
                .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                .unwrap_or(name.len());
            if end > 0 {
                header.package = Some(&name[..end]);
            }
            return header;
        } else {
            return header;
        }
    }
}

/// The paths of a file's imports, read without parsing it. `None` where there may be others that only a parser finds: the file is
/// broken.
pub fn scan_imports(text: &str) -> Option<Vec<&str>> {
    let mut found = Vec::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut in_clause = false;
    let mut in_group = false;
    let mut seen_package = false;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n', ';']);
        if let Some(comment) = rest.strip_prefix("//") {
            rest = &comment[memchr_newline(comment)..];
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = &comment[comment.find("*/")? + 2..];
        } else if let Some(quoted) = rest.strip_prefix(['"', '`']).filter(|_| in_clause) {
            let quote = rest.chars().next()?;
            let end = quoted.find(quote)?;
            if quoted[..end].contains(['\n', '\\']) {
                return None;
            }
            found.push(&quoted[..end]);
            rest = &quoted[end + 1..];
            in_clause = in_group;
        } else if let Some(inside) = rest.strip_prefix('(').filter(|_| in_clause && !in_group) {
            in_group = true;
            rest = inside;
        } else if let Some(behind) = rest.strip_prefix(')').filter(|_| in_group) {
            (in_group, in_clause) = (false, false);
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix('.').filter(|_| in_clause) {
            rest = behind;
        } else {
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                .unwrap_or(rest.len());
            let (word, behind) = rest.split_at(end);
            match word {
                // The alias of an import, or the package's name.
                _ if in_clause && !word.is_empty() => {}
                "package" if !seen_package => {
                    seen_package = true;
                    rest = behind.trim_start();
                    while let Some(comment) = rest.strip_prefix("/*") {
                        rest = comment[comment.find("*/")? + 2..].trim_start();
                    }
                    rest = rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
                    continue;
                }
                "import" if seen_package => in_clause = true,
                // The first declaration, or the end.
                "var" | "const" | "type" | "func" | "" if !in_clause => {
                    let again = behind.match_indices("import").any(|(at, _)| {
                        behind[..at]
                            .trim_end_matches([' ', '\t'])
                            .ends_with(['\n', ';'])
                    });
                    let whole = !word.is_empty() || rest.is_empty();
                    return (!again && whole).then_some(found);
                }
                _ => return None,
            }
            rest = behind;
        }
    }
}

fn memchr_newline(text: &str) -> usize {
    text.bytes().position(|b| b == b'\n').unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_found_without_a_parser() {
        let some = |text: &str| scan_imports(text).map(|list| list.join(" "));
        assert_eq!(
            some(
                "// import \"x\"\npackage /* p */ a // b\n\nimport \"fmt\"; import `os`\n/*\n#include <x>\n*/\nimport \"C\"\nimport (\n\t. \"a.b/c\"\n\t_ \"d\" // why\n\tx \"e\"\n\ty \"f\")\n\nfunc f() {}\n"
            ),
            Some("fmt os C a.b/c d e f".to_owned())
        );
        assert_eq!(some("package a\n"), Some(String::new()));
        assert_eq!(some(""), Some(String::new()));
        assert_eq!(
            some("\u{feff}package a;import\"x\";var y = 1"),
            Some("x".to_owned())
        );
        // What a parser may take for an import all the same.
        assert_eq!(some("package a\nfunc f() {}\nimport \"x\"\n"), None);
        assert_eq!(some("package a\nimport (\"x\"\nfunc f() {\n"), None);
        assert_eq!(some("package a\nimport \"x\n"), None);
        assert_eq!(some("pakcage a\nimport \"x\"\n"), None);
        assert_eq!(some("package a\n/* import"), None);
        assert_eq!(some("package a\n} import \"x\""), None);
    }

    fn linux() -> Context {
        Context {
            goos: "linux".into(),
            goarch: "amd64".into(),
            tags: Vec::new(),
            cgo: true,
            go_minor: None,
        }
    }

    #[test]
    fn names() {
        assert_eq!(name_suffix("a.go"), (None, None));
        assert_eq!(name_suffix("linux.go"), (None, None));
        assert_eq!(name_suffix("a_linux.go"), (Some("linux"), None));
        assert_eq!(name_suffix("a_linux_test.go"), (Some("linux"), None));
        assert_eq!(
            name_suffix("a_windows_arm64.go"),
            (Some("windows"), Some("arm64"))
        );
        assert_eq!(name_suffix("a_b_amd64.go"), (None, Some("amd64")));
        assert_eq!(name_suffix("linux_amd64.go"), (None, Some("amd64")));
        assert!(linux().includes("a_linux.go", None));
        assert!(!linux().includes("a_windows.go", None));
        assert!(!linux().includes("_a.go", None));
    }

    #[test]
    fn expressions() {
        let yes = |text: &str| {
            Constraint::parse(text)
                .expect(text)
                .eval(&|t| linux().has_tag(t))
        };
        assert!(yes("linux && !windows"));
        assert!(yes("(darwin || unix) && go1.18"));
        assert!(!yes("ignore"));
        assert!(yes("!cgo || cgo"));
        assert!(yes("a || (b || !c)"));
        for bad in [
            "",
            "&&",
            "a &&",
            "(a",
            "a b",
            "!",
            "a || || b",
            &"!".repeat(1000),
        ] {
            assert_eq!(Constraint::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn go_versions() {
        let min = |text: &str| Constraint::parse(text).expect(text).min_go_minor();
        assert_eq!(min("go1.21"), Some(21));
        assert_eq!(min("go1.21 && go1.22"), Some(22));
        assert_eq!(min("go1.21 || go1.22"), Some(21));
        assert_eq!(min("go1.21 || linux"), None);
        assert_eq!(min("!go1.21"), None);
        assert_eq!(min("linux && go1.20"), Some(20));
        assert_eq!(min("!(!go1.21 || windows)"), Some(21));
    }

    #[test]
    fn contexts() {
        let find = |name: &str, text: &str| {
            let c = Constraint::parse(text);
            context_for(&linux(), name, c.as_ref())
        };
        assert_eq!(find("a.go", ""), Some(linux()));
        assert_eq!(find("a_windows.go", "").expect("windows").goos, "windows");
        assert_eq!(
            find("a.go", "darwin && arm64").map(|c| (c.goos, c.goarch)),
            Some(("darwin".into(), "arm64".into()))
        );
        assert_eq!(find("a.go", "!unix").expect("not unix").goos, "windows");
        assert_eq!(
            find("a.go", "integration && !linux").map(|c| (c.goos, c.tags)),
            Some(("darwin".into(), vec!["integration".into()]))
        );
        assert_eq!(find("a.go", "!go1.20").expect("old").go_minor, Some(19));
        assert!(!find("a.go", "!cgo").expect("no cgo").cgo);
        assert_eq!(find("a.go", "ignore"), None);
        assert_eq!(
            find("a.go", "ignore || tools").expect("tools").tags,
            ["tools"]
        );
        assert_eq!(find("a.go", "linux && windows"), None);
        assert_eq!(find("_a.go", ""), None);
        assert_eq!(
            find("a.go", "!goexperiment.jsonv2").expect("without").tags,
            ["!goexperiment.jsonv2"]
        );
        assert_eq!(find("a.go", "amd64.v3").expect("v3").tags, ["amd64.v3"]);
    }

    #[test]
    fn headers() {
        let h = scan_header(
            "// Copyright\n\n//go:build linux && go1.20\n\n/* doc */\npackage a // x\n",
        );
        assert_eq!(
            h,
            Header {
                package: Some("a"),
                constraint: Some("linux && go1.20")
            }
        );
        assert_eq!(
            scan_header("\u{feff}package b;import \"x\"").package,
            Some("b")
        );
        assert_eq!(scan_header("package/* x */c").package, Some("c"));
        assert_eq!(scan_header("packagec"), Header::default());
        assert_eq!(scan_header("/* never closed\npackage a"), Header::default());
        assert_eq!(scan_header(""), Header::default());
        assert_eq!(
            scan_header("package a\n//go:build linux\n").constraint,
            None
        );
        assert_eq!(scan_header("//go:buildx\npackage a").constraint, None);
    }
}
