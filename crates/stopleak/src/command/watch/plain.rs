//! Without a terminal: a line for each look, and the lines that grow below it.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use super::poll::Poller;
use super::rows::Look;
use crate::cli::WatchArgs;
use crate::evidence::words::elapsed;
use crate::exit::Failure;
use crate::terminal::{BOLD, DIM, RED, YELLOW};
use crate::{interrupt, terminal};

/// Lines of the code shown for each look.
const ROWS: usize = 5;
/// How long Ctrl-C may take.
const PATIENCE: Duration = Duration::from_millis(100);

/// Looks until it is enough or Ctrl-C is pressed; the folder of the profiles.
///
/// # Errors
/// The first look fails.
pub fn run(mut poller: Poller, args: &WatchArgs) -> Result<Option<String>, Failure> {
    let mut looks = 0;
    loop {
        let next = Instant::now() + args.every;
        match poller.look() {
            Ok(look) => {
                // Locked for each look only: somebody else may want to write.
                let mut out = anstream::AutoStream::auto(std::io::stdout()).lock();
                write(&mut out, &look)?;
                out.flush()?;
            }
            Err(failure) if looks == 0 => return Err(failure),
            Err(failure) => terminal::warning(&failure.to_string()),
        }
        looks += 1;
        if args.count.is_some_and(|count| looks >= count) {
            break;
        }
        while Instant::now() < next && !interrupt::stopped() {
            thread::sleep(PATIENCE.min(next.saturating_duration_since(Instant::now())));
        }
        if interrupt::stopped() {
            break;
        }
    }
    Ok(poller.saved())
}

fn write(out: &mut impl Write, look: &Look) -> std::io::Result<()> {
    let panels: Vec<_> = look
        .panels
        .iter()
        .map(|panel| match panel.absent {
            Some(why) if look.number == 1 => {
                format!("{} unknown ({why})", panel.heading.to_lowercase())
            }
            Some(_) => format!("{} unknown", panel.heading.to_lowercase()),
            None if look.number == 1 => {
                format!(
                    "{} {BOLD}{}{BOLD:#}",
                    panel.heading.to_lowercase(),
                    panel.now
                )
            }
            None => format!(
                "{} {BOLD}{}{BOLD:#} ({})",
                panel.heading.to_lowercase(),
                panel.now,
                panel.change
            ),
        })
        .collect();
    writeln!(
        out,
        "{}: {}",
        elapsed(look.elapsed.as_secs()),
        panels.join(", ")
    )?;
    for row in look.rows.iter().take(ROWS) {
        let style = if row.warning { RED } else { YELLOW };
        let findings: Vec<_> = row
            .findings
            .iter()
            .map(|(rule, says)| format!("; {says} {rule}"))
            .collect();
        let change = if look.number == 1 {
            String::new()
        } else {
            format!(" {DIM}({}){DIM:#}", row.change)
        };
        writeln!(
            out,
            "  {style}{}{style:#} {}{change}{}",
            row.place,
            row.title,
            findings.concat()
        )?;
    }
    if look.rows.len() > ROWS {
        let more = terminal::count(look.rows.len() - ROWS, "more line");
        writeln!(out, "  {DIM}… and {more}{DIM:#}")?;
    }
    for problem in &look.problems {
        terminal::warning(problem);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::rows::{Look, Panel, Row, Tone};
    use super::write;

    #[test]
    fn a_look_is_a_few_lines() {
        let row = || Row {
            tone: Tone::Goroutines,
            warning: true,
            change: "+120".to_owned(),
            place: "m.go:18".to_owned(),
            title: "1,203 goroutines blocked sending to a channel".to_owned(),
            findings: vec![("stuck-send".to_owned(), "confirms")],
            ..Row::default()
        };
        let panel = |heading: &str, absent| Panel {
            heading: heading.to_owned(),
            now: "1,210".to_owned(),
            change: "+120".to_owned(),
            absent,
            ..Panel::default()
        };
        let look = Look {
            number: 2,
            elapsed: std::time::Duration::from_secs(90),
            panels: vec![panel("Goroutines", None), panel("Leaked", Some("why"))],
            rows: (0..7).map(|_| row()).collect(),
            problems: Vec::new(),
        };
        let mut out = anstream::StripStream::new(Vec::new());
        write(&mut out, &look).expect("is written");
        let text = String::from_utf8(out.into_inner()).expect("text");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "1:30: goroutines 1,210 (+120), leaked unknown");
        assert_eq!(
            lines[1],
            "  m.go:18 1,203 goroutines blocked sending to a channel (+120); confirms stuck-send"
        );
        assert_eq!(lines[6], "  … and 2 more lines");
    }
}
