//! The command line.

use std::path::PathBuf;

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
}

/// Arguments of `profile`.
#[derive(Debug, Args)]
pub struct ProfileArgs {
    /// Profiles (pprof or debug=1), goroutine dumps, panics, output of goleak or `go test -json`, LeakSanitizer reports, or addresses
    /// such as http://localhost:6060/debug/pprof/heap; `-` reads stdin. Several of one kind are a series over time.
    #[arg(required = true, value_name = "FILE|URL")]
    pub inputs: Vec<String>,

    /// What the inputs are compared with: what grew since then is shown.
    #[arg(long, value_name = "FILE|URL")]
    pub base: Option<String>,
    /// The folder of the code.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub dir: PathBuf,
    /// Where a recorded path begins otherwise than the local one (may be given several times).
    #[arg(long = "map", value_name = "RECORDED=LOCAL")]
    pub path_map: Vec<String>,
    /// Fetch from other machines, too. Profiles show what a program does.
    #[arg(long)]
    pub allow_remote: bool,
    /// Do not look for findings on the lines.
    #[arg(long)]
    pub no_check: bool,

    /// How evidence is written.
    #[arg(long, value_enum, default_value_t = ProfileFormat::Full, help_heading = "Output")]
    pub format: ProfileFormat,
    /// Lines shown of each profile at most.
    #[arg(long, value_name = "N", default_value_t = 10, help_heading = "Output")]
    pub top: usize,
    /// Show lines below the thresholds as well.
    #[arg(long, help_heading = "Output")]
    pub all: bool,
    /// Exit with 0 although there are warnings.
    #[arg(long, help_heading = "Exit code")]
    pub exit_zero: bool,

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
