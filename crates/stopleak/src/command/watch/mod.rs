//! `stopleak watch`: a running program over time, and the lines that grow.

mod history;
mod plain;
mod poll;
mod rows;
mod save;
mod screen;

use std::io::{self, IsTerminal as _};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use self::poll::Poller;
use self::rows::Look;
use crate::cli::WatchArgs;
use crate::command::check::start_threads;
use crate::exit::{Failure, Outcome, Status};
use crate::{interrupt, terminal};

/// Runs the command.
pub fn run(args: &WatchArgs) -> Outcome {
    interrupt::install();
    start_threads(0)?;
    let poller = Poller::new(args)?;
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let folder = if args.plain || dumb || !io::stdout().is_terminal() {
        plain::run(poller, args)?
    } else {
        on_screen(poller, args)?
    };
    if let Some(folder) = folder {
        terminal::note(&format!(
            "the profiles are in `{folder}`; `stopleak profile {folder} --format html -o report.html` makes a report of them"
        ));
    }
    Ok(Status::Clean)
}

/// What the thread that asks the program tells the one that draws.
enum News {
    /// It is asking.
    Asking,
    /// What it was told.
    Look(Box<Look>),
    /// It was told nothing.
    Failed(String),
    /// That was the last time.
    Done,
}

/// What the thread that draws tells the one that asks.
enum Wish {
    /// Ask now.
    Now,
}

/// The program is asked by a thread of its own, because an answer may take seconds.
fn on_screen(mut poller: Poller, args: &WatchArgs) -> Result<Option<String>, Failure> {
    // What fails at once is an error, not a picture.
    let first = poller.look()?;
    let (news, incoming) = mpsc::channel();
    let (wishes, wished) = mpsc::channel();
    let (every, count) = (args.every, args.count);
    let title = poller.handlers().to_owned();
    let asking = thread::spawn(move || {
        let _ = news.send(News::Look(Box::new(first)));
        let mut next = Instant::now() + every;
        let mut looks = 1;
        while count.is_none_or(|count| looks < count) {
            match wished.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Wish::Now) | Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
            next = Instant::now() + every;
            looks += 1;
            let _ = news.send(News::Asking);
            let told = match poller.look() {
                Ok(look) => News::Look(Box::new(look)),
                Err(failure) => News::Failed(failure.to_string()),
            };
            if news.send(told).is_err() {
                break;
            }
        }
        let _ = news.send(News::Done);
        poller.saved()
    });
    let mut screen = screen::Screen::new(title, every);
    let mut display = ratatui::try_init()?;
    let result = screen.run(&mut display, &incoming, &wishes);
    // Nothing can be done when the terminal does not want to be as it was.
    let _ = ratatui::try_restore();
    drop(wishes);
    result?;
    // An answer that is still awaited is not worth waiting for.
    let until = Instant::now() + Duration::from_millis(500);
    while !asking.is_finished() && Instant::now() < until {
        thread::sleep(Duration::from_millis(10));
    }
    if asking.is_finished() {
        return Ok(asking.join().ok().flatten());
    }
    Ok(args
        .save
        .as_ref()
        .map(|folder| folder.display().to_string()))
}
