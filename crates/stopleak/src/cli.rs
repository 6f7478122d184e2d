//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::Styles;
use clap::builder::styling::AnsiColor;
use clap::{Args, Parser, Subcommand, ValueEnum};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Finds leaks in Go code: resources never released, goroutines that wait for ever, memory that only grows.
#[derive(Debug, Parser)]
#[command(name = "stopleak", version, styles = STYLES, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// When to use colours.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check Go files and folders.
    Check(Box<CheckArgs>),
    /// Run the language server on stdin and stdout.
    Server(ServerArgs),
    /// Place profiles and dumps of running programs on source lines, next to the findings there.
    Profile(Box<ProfileArgs>),
    /// Watch a running program: memory, goroutines and leaked goroutines over time, and the lines that grow.
    Watch(Box<WatchArgs>),
    /// Add what makes leaks show: a check to tests, or profiles to a program.
    Add(AddArgs),
    /// Explain a rule, or list all rules.
    Rule(RuleArgs),
    /// Show or verify the configuration.
    Config(ConfigArgs),
    /// Show or empty the cache.
    Cache(CacheArgs),
    /// Print the version.
    Version(VersionArgs),
    /// Print a completion script for a shell.
    Completions(CompletionsArgs),
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How findings are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Source frames with the path of the leak.
    #[default]
    Full,
    /// One line for each finding.
    Concise,
    /// One JSON array.
    Json,
}

/// The least severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum MinSeverity {
    /// Everything.
    Hint,
    /// Information and warnings.
    Information,
    /// Warnings.
    #[default]
    Warning,
}

impl From<MinSeverity> for leak_rules::Severity {
    fn from(severity: MinSeverity) -> Self {
        match severity {
            MinSeverity::Hint => Self::Hint,
            MinSeverity::Information => Self::Information,
            MinSeverity::Warning => Self::Warning,
        }
    }
}

/// Arguments of `check`.
#[derive(Debug, Default, Args)]
pub struct CheckArgs {
    /// Files and folders; `./...` and `dir/...` work as well, `-` reads stdin. Without any: the current folder.
    pub paths: Vec<PathBuf>,

    /// Apply safe fixes.
    #[arg(long, conflicts_with = "diff", help_heading = "Fixes")]
    pub fix: bool,
    /// Print what `--fix` would change, as a diff; write nothing.
    #[arg(long, help_heading = "Fixes")]
    pub diff: bool,
    /// Apply unsafe fixes too, with `--fix` or `--diff`: each is a choice that should be looked at.
    #[arg(long, help_heading = "Fixes")]
    pub unsafe_fixes: bool,

    /// How findings are written.
    #[arg(long, value_enum, default_value_t = Format::Full, help_heading = "Output")]
    pub format: Format,
    /// Print the number of findings of each rule in place of the findings.
    #[arg(long, conflicts_with = "diff", help_heading = "Output")]
    pub statistics: bool,
    /// Show no progress.
    #[arg(long, help_heading = "Output")]
    pub no_progress: bool,
    /// Say what is skipped and why, and how long it took.
    #[arg(short, long, help_heading = "Output")]
    pub verbose: bool,
    /// Print findings and errors only.
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Output")]
    pub quiet: bool,

    /// Least severity that makes the exit code 1. All findings are shown.
    #[arg(long, value_enum, default_value_t = MinSeverity::Warning, help_heading = "Exit code")]
    pub min_severity: MinSeverity,
    /// Exit with 0 although there are findings.
    #[arg(long, help_heading = "Exit code")]
    pub exit_zero: bool,

    /// Run these rules only (names or families; may be given several times or separated by commas).
    #[arg(
        long = "rule",
        value_name = "RULE",
        value_delimiter = ',',
        help_heading = "What is checked"
    )]
    pub rules: Vec<String>,
    /// Leave out files and folders that match this pattern (as in .gitignore, relative to the current folder).
    #[arg(long, value_name = "PATTERN", help_heading = "What is checked")]
    pub exclude: Vec<String>,
    /// Apply `exclude` to files that are named on the command line, too.
    #[arg(long, help_heading = "What is checked")]
    pub force_exclude: bool,
    /// Check generated files as well.
    #[arg(long, help_heading = "What is checked")]
    pub include_generated: bool,
    /// Do not look at .gitignore and .ignore.
    #[arg(long, help_heading = "What is checked")]
    pub no_ignore: bool,
    /// The name under which stdin is checked.
    #[arg(long, value_name = "FILE", help_heading = "What is checked")]
    pub stdin_filename: Option<PathBuf>,

    /// Use this configuration for all files; its patterns are relative to the current folder.
    #[arg(long, value_name = "FILE", help_heading = "Configuration")]
    pub config: Option<PathBuf>,
    /// Use no configuration file.
    #[arg(long, conflicts_with = "config", help_heading = "Configuration")]
    pub isolated: bool,

    /// Neither read nor write the cache.
    #[arg(long)]
    pub no_cache: bool,
    /// Number of threads. 0: as many as there are cores.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub threads: usize,
}

/// How evidence is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProfileFormat {
    /// Source frames, heaviest lines first.
    Full,
    /// One JSON object.
    Json,
    /// One page with charts, lines and flame graphs, which needs nothing else.
    Html,
}

/// Where evidence is placed, and from how much on it counts.
#[derive(Debug, Args)]
pub struct EvidenceArgs {
    /// The folder of the code.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub dir: PathBuf,
    /// Where a recorded path begins otherwise than the local one (may be given several times).
    #[arg(long = "map", value_name = "RECORDED=LOCAL")]
    pub path_map: Vec<String>,
    /// Ask other machines, too. Profiles show what a program does, and come over a connection that anybody may read.
    #[arg(long)]
    pub allow_remote: bool,
    /// Do not look for findings on the lines.
    #[arg(long)]
    pub no_check: bool,

    /// Goroutines blocked on a line that are worth showing; ten times as many are a warning.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100,
        help_heading = "Thresholds"
    )]
    pub goroutines: i64,
    /// Bytes in use allocated on a line that are worth showing.
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = 1 << 20,
        help_heading = "Thresholds"
    )]
    pub memory: i64,
}

/// Arguments of `profile`.
#[derive(Debug, Args)]
pub struct ProfileArgs {
    /// Profiles (pprof or debug=1), goroutine dumps, panics, output of goleak or `go test -json`, LeakSanitizer reports, folders of
    /// these, or addresses: http://localhost:6060/debug/pprof/heap, or http://localhost:6060 for the profiles that show leaks; `-` reads
    /// stdin. Several of one kind are a series over time.
    #[arg(required = true, value_name = "FILE|URL")]
    pub inputs: Vec<String>,

    /// What the inputs are compared with: what grew since then is shown.
    #[arg(long, value_name = "FILE|URL")]
    pub base: Option<String>,
    /// Where it is placed.
    #[command(flatten)]
    pub evidence: EvidenceArgs,

    /// How evidence is written.
    #[arg(long, value_enum, default_value_t = ProfileFormat::Full, help_heading = "Output")]
    pub format: ProfileFormat,
    /// Write to a file.
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// Lines shown of each profile at most.
    #[arg(long, value_name = "N", default_value_t = 10, help_heading = "Output")]
    pub top: usize,
    /// Show lines below the thresholds as well.
    #[arg(long, help_heading = "Output")]
    pub all: bool,
    /// Exit with 0 although there are warnings.
    #[arg(long, help_heading = "Exit code")]
    pub exit_zero: bool,
}

/// Arguments of `watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Where the program serves its profiles (`net/http/pprof`): `localhost:6060`, or http://localhost:8080/admin/pprof/.
    #[arg(value_name = "URL")]
    pub url: String,

    /// Time between two looks: `30s`, `5m`, `1h`.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = seconds)]
    pub every: Duration,
    /// Stop after so many looks.
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// Save the profiles in a folder; `stopleak profile FOLDER --format html` makes a report of them.
    #[arg(long, value_name = "FOLDER")]
    pub save: Option<PathBuf>,
    /// Let the program collect its garbage before each look, so that memory is what is in use at that moment.
    #[arg(long)]
    pub gc: bool,
    /// Print lines, as when the output is not a terminal.
    #[arg(long)]
    pub plain: bool,
    /// Where it is placed.
    #[command(flatten)]
    pub evidence: EvidenceArgs,
}

/// A time in seconds, minutes or hours, at least a second and at most a day.
fn seconds(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err("write it as `30s`, `5m` or `1h`".to_owned()),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| "write it as `30s`, `5m` or `1h`".to_owned())?;
    match number.checked_mul(factor) {
        Some(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err("at least one second and at most a day".to_owned()),
    }
}

/// Arguments of `server`.
#[derive(Debug, Args)]
pub struct ServerArgs {
    /// Accepted and ignored: the server always speaks over stdin and stdout.
    #[arg(long, hide = true)]
    pub stdio: bool,
    /// Accepted and ignored, because editors add it: the server learns its parent at `initialize`.
    #[arg(long = "clientProcessId", value_name = "PID", hide = true)]
    pub client_process_id: Option<String>,
    /// The pause after a keystroke in milliseconds, whatever the editor's settings say. For measurements.
    #[arg(long, value_name = "MS", hide = true)]
    pub debounce: Option<u64>,
}

/// Arguments of `add`.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// What is added.
    #[command(subcommand)]
    pub command: AddCommand,
    /// Print what would change, as a diff; write nothing.
    #[arg(long, global = true)]
    pub diff: bool,
}

/// The commands below `add`.
#[derive(Debug, Subcommand)]
pub enum AddCommand {
    /// Let the tests of a package fail when they leave goroutines behind.
    LeakTest {
        /// The folder of the package.
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// How they are found. Default: goleak where go.mod requires it or Go is older than 1.27, else the profile.
        #[arg(long, value_enum)]
        with: Option<AddedCheck>,
    },
    /// Run a test in a bubble (`testing/synctest`, Go 1.25), where a goroutine that never ends fails it.
    Bubble {
        /// The file of the test.
        file: PathBuf,
        /// The name of the test.
        test: String,
    },
    /// Serve the profiles of a program at http://localhost:6060/debug/pprof/, to this machine only.
    Pprof {
        /// The folder of the program, or its file with `main`.
        #[arg(default_value = ".")]
        place: PathBuf,
    },
}

/// How leaked goroutines are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AddedCheck {
    /// With `go.uber.org/goleak`.
    Goleak,
    /// With the goroutine-leak profile of Go 1.27 (an experiment in 1.26), without another module.
    Profile,
}

/// Arguments of `rule`.
#[derive(Debug, Args)]
pub struct RuleArgs {
    /// The rule. Without it all rules are listed.
    pub name: Option<String>,
    /// How it is written.
    #[arg(long, value_enum, default_value_t = TextOrJson::Text)]
    pub format: TextOrJson,
}

/// Text or JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TextOrJson {
    /// To read.
    Text,
    /// For programs.
    Json,
}

/// Arguments of `config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// The commands below `config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the options in force for a file or folder, where they come from, and the rules that run there.
    Show {
        /// A file or folder. Default: the current folder.
        #[arg(default_value = ".")]
        path: PathBuf,
    },
    /// Check configuration files.
    Verify {
        /// Configuration files. Default: the nearest one.
        paths: Vec<PathBuf>,
    },
    /// Print the JSON schema of stopleak.toml.
    Schema,
}

/// Arguments of `cache`.
#[derive(Debug, Args)]
pub struct CacheArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: CacheCommand,
}

/// The commands below `cache`.
#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// Print the folder of the cache. STOPLEAK_CACHE_DIR sets another one.
    Dir,
    /// Remove everything in it.
    Clean,
}

/// Arguments of `version`.
#[derive(Debug, Args)]
pub struct VersionArgs {
    /// How it is written.
    #[arg(long, value_enum, default_value_t = TextOrJson::Text)]
    pub output_format: TextOrJson,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times_have_units() {
        let of = |text| seconds(text).map(|time| time.as_secs());
        assert_eq!(of("30s"), Ok(30));
        assert_eq!(of("45"), Ok(45));
        assert_eq!(of("5m"), Ok(300));
        assert_eq!(of("24h"), Ok(86_400));
        for wrong in ["", "s", "1.5s", "-1s", "1d", "3 s"] {
            assert!(
                of(wrong).is_err_and(|message| message.contains("30s")),
                "{wrong}"
            );
        }
        for wrong in ["0s", "25h", "999999999999999999h"] {
            assert!(
                of(wrong).is_err_and(|message| message.contains("a day")),
                "{wrong}"
            );
        }
    }
}
