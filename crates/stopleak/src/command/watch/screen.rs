//! The picture in the terminal.

use std::io;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use anstream::ColorChoice;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{
    Axis, Block, BorderType, Cell, Chart, Dataset, GraphType, Paragraph, Row as TableRow, Table,
    TableState, Wrap,
};
use ratatui::{DefaultTerminal, Frame};

use super::rows::{Look, Panel, Row, Tone};
use super::{News, Wish};
use crate::evidence::words::elapsed;
use crate::terminal::count;

/// How often the screen is drawn although nothing happened: the clock goes on.
const TICK: Duration = Duration::from_millis(250);
/// Looks in the small pictures of the table.
const TREND: usize = 12;
/// Characters of a place in the table.
const PLACE: usize = 40;
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Below this height there is no room for charts.
const ROOM_FOR_CHARTS: u16 = 16;
/// Below this height there is no room for what is said about the selected line.
const ROOM_FOR_DETAILS: u16 = 26;

/// Everything that is drawn.
pub struct Screen {
    title: String,
    every: Duration,
    look: Look,
    problem: Option<String>,
    asking: bool,
    done: bool,
    next: Instant,
    only: Option<Tone>,
    table: TableState,
    colours: bool,
}

impl Screen {
    /// Of a program.
    pub fn new(title: String, every: Duration) -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            title,
            every,
            look: Look::default(),
            problem: None,
            asking: true,
            done: false,
            next: Instant::now(),
            only: None,
            table: TableState::default().with_selected(0),
            colours: ColorChoice::global() != ColorChoice::Never && !no_colour,
        }
    }

    /// Draws until somebody has seen enough.
    ///
    /// # Errors
    /// The terminal went away.
    pub fn run(
        &mut self,
        terminal: &mut DefaultTerminal,
        news: &Receiver<News>,
        wishes: &Sender<Wish>,
    ) -> io::Result<()> {
        loop {
            while let Ok(news) = news.try_recv() {
                self.hear(news);
            }
            terminal.draw(|frame| self.draw(frame))?;
            if event::poll(TICK)?
                && let Event::Key(key) = event::read()?
                && !self.press(key, wishes)
            {
                return Ok(());
            }
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Asking => self.asking = true,
            News::Look(look) => {
                self.look = *look;
                self.problem = self.look.problems.first().cloned();
                self.heard();
            }
            News::Failed(message) => {
                self.problem = Some(message);
                self.heard();
            }
            News::Done => self.done = true,
        }
    }

    fn heard(&mut self) {
        self.asking = false;
        self.next = Instant::now() + self.every;
    }

    /// Whether to go on.
    fn press(&mut self, key: KeyEvent, wishes: &Sender<Wish>) -> bool {
        if key.kind == KeyEventKind::Release {
            return true;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return false,
            KeyCode::Char('c') if control => return false,
            KeyCode::Char('r') if !self.asking && !self.done => {
                // It may have ended meanwhile.
                let _ = wishes.send(Wish::Now);
                self.asking = true;
            }
            KeyCode::Tab => {
                self.only = match self.only {
                    None => Some(Tone::Leaked),
                    Some(Tone::Leaked) => Some(Tone::Goroutines),
                    Some(Tone::Goroutines) => Some(Tone::Memory),
                    Some(Tone::Memory) => None,
                };
                self.table.select(Some(0));
            }
            KeyCode::Down | KeyCode::Char('j') => self.table.select_next(),
            KeyCode::Up | KeyCode::Char('k') => self.table.select_previous(),
            KeyCode::Home | KeyCode::Char('g') => self.table.select_first(),
            KeyCode::End | KeyCode::Char('G') => self.table.select_last(),
            _ => {}
        }
        true
    }

    fn rows(&self) -> Vec<&Row> {
        let wanted = |row: &&Row| self.only.is_none_or(|tone| row.tone == tone);
        self.look.rows.iter().filter(wanted).collect()
    }

    fn colour(&self, colour: Color) -> Style {
        if self.colours {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }

    fn tone(&self, tone: Tone) -> Style {
        self.colour(match tone {
            Tone::Leaked => Color::Red,
            Tone::Goroutines => Color::Cyan,
            Tone::Memory => Color::Magenta,
        })
    }

    fn block<'a>(&self) -> Block<'a> {
        Block::bordered()
            .border_type(BorderType::Rounded)
            .border_style(Style::new().add_modifier(Modifier::DIM))
    }

    fn draw(&mut self, frame: &mut Frame<'_>) {
        let height = frame.area().height;
        let charts = if height >= ROOM_FOR_CHARTS { 9 } else { 1 };
        let details = if height >= ROOM_FOR_DETAILS { 8 } else { 0 };
        let [head, panels, table, about, foot] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(charts),
            Constraint::Min(3),
            Constraint::Length(details),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        frame.render_widget(self.head(), head);
        self.draw_panels(frame, panels);
        self.draw_table(frame, table);
        if details > 0 {
            self.draw_details(frame, about);
        }
        frame.render_widget(self.foot(), foot);
    }

    fn head(&self) -> Line<'_> {
        let looks = count(
            usize::try_from(self.look.number).unwrap_or(usize::MAX),
            "look",
        );
        let state = if self.done {
            "done".to_owned()
        } else if self.asking {
            "asking …".to_owned()
        } else {
            let left = self.next.saturating_duration_since(Instant::now());
            format!("next in {}", elapsed(left.as_secs() + 1))
        };
        Line::from(vec![
            Span::styled(
                " stopleak watch ",
                Style::new().add_modifier(Modifier::BOLD),
            ),
            Span::raw(&self.title),
            Span::styled(
                format!(
                    "   {looks} over {}, every {}, {state}",
                    elapsed(self.look.elapsed.as_secs()),
                    elapsed(self.every.as_secs())
                ),
                Style::new().add_modifier(Modifier::DIM),
            ),
        ])
    }

    fn foot(&self) -> Line<'_> {
        if let Some(problem) = &self.problem {
            return Line::styled(format!(" {problem}"), self.colour(Color::Yellow));
        }
        let only = match self.only {
            None => "all lines",
            Some(Tone::Leaked) => "stuck for ever only",
            Some(Tone::Goroutines) => "goroutines only",
            Some(Tone::Memory) => "memory only",
        };
        Line::styled(
            format!(" ↑↓ choose a line   tab {only}   r look now   q quit"),
            Style::new().add_modifier(Modifier::DIM),
        )
    }

    fn draw_panels(&self, frame: &mut Frame<'_>, area: Rect) {
        let panels = &self.look.panels;
        if area.height == 1 {
            let told: Vec<_> = panels
                .iter()
                .filter(|panel| panel.absent.is_none())
                .map(|panel| format!("{} {} ({})", panel.heading, panel.now, panel.change))
                .collect();
            frame.render_widget(Line::raw(format!(" {}", told.join(", "))), area);
            return;
        }
        let areas = Layout::horizontal(panels.iter().map(|_| Constraint::Fill(1))).split(area);
        for (panel, area) in panels.iter().zip(areas.iter()) {
            self.draw_panel(frame, panel, *area);
        }
    }

    fn draw_panel(&self, frame: &mut Frame<'_>, panel: &Panel, area: Rect) {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let title = Line::from(vec![
            Span::styled(format!(" {} ", panel.heading), self.tone(panel.tone)),
            Span::styled(panel.now.clone(), bold),
            Span::raw(format!("  {} ", panel.change)),
        ]);
        if let Some(why) = panel.absent {
            let block = self.block().title(Line::styled(
                format!(" {} ", panel.heading),
                self.tone(panel.tone),
            ));
            let text = Paragraph::new(why).wrap(Wrap { trim: true }).block(block);
            frame.render_widget(text, area);
            return;
        }
        let most = panel.points.iter().map(|point| point.1).fold(1.0, f64::max);
        let least = panel.points.iter().map(|point| point.1).fold(0.0, f64::min);
        let last = panel.points.last().map_or(0.0, |point| point.0).max(1.0);
        // One point is a line, too.
        let mut points = panel.points.clone();
        if points.len() == 1 {
            points.push((last, points[0].1));
        }
        let dim = Style::new().add_modifier(Modifier::DIM);
        let data = Dataset::default()
            .marker(Marker::Braille)
            .graph_type(GraphType::Line)
            .style(self.tone(panel.tone))
            .data(&points);
        let chart = Chart::new(vec![data])
            .block(self.block().title(title))
            .x_axis(Axis::default().bounds([0.0, last]).style(dim).labels([
                Line::raw("0"),
                Line::raw(elapsed(self.look.elapsed.as_secs())),
            ]))
            .y_axis(
                Axis::default()
                    .bounds([least, most * 1.05])
                    .style(dim)
                    .labels([Line::raw("0"), Line::raw(panel.most.clone())]),
            )
            .legend_position(None);
        frame.render_widget(chart, area);
    }

    fn draw_table(&mut self, frame: &mut Frame<'_>, area: Rect) {
        let rows = self.rows();
        let all = rows.len();
        let growing = rows.iter().filter(|row| row.grows).count();
        let title = format!(" {}, {growing} growing ", count(all, "line"));
        let block = self.block().title(title);
        if rows.is_empty() {
            let text = if self.look.number < 2 {
                "Nothing stands out yet. The next look shows what grows."
            } else {
                "No line grows, and none is over the thresholds."
            };
            frame.render_widget(Paragraph::new(text).block(block), area);
            return;
        }
        let selected = self.table.selected().unwrap_or(0);
        let widest = rows.iter().map(|row| row.place.chars().count()).max();
        let widest = widest.unwrap_or(0).clamp(4, PLACE);
        let lines: Vec<TableRow<'_>> = rows.iter().map(|row| self.table_row(row)).collect();
        let header = ["  now", "change", "trend", "line", "what", "finding"];
        let table = Table::new(
            lines,
            [
                Constraint::Length(12),
                Constraint::Length(10),
                Constraint::Length(TREND as u16),
                Constraint::Length(u16::try_from(widest).unwrap_or(u16::MAX)),
                Constraint::Fill(5),
                Constraint::Fill(2),
            ],
        )
        .header(TableRow::new(header).style(Style::new().add_modifier(Modifier::DIM)))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .block(block);
        let selected = selected.min(all - 1);
        self.table.select(Some(selected));
        frame.render_stateful_widget(table, area, &mut self.table);
    }

    fn table_row<'a>(&self, row: &Row) -> TableRow<'a> {
        let sign = if row.warning { "! " } else { "  " };
        let findings: Vec<_> = row
            .findings
            .iter()
            .map(|(rule, says)| format!("{says} {rule}"))
            .collect();
        let colour = if row.grows {
            self.tone(row.tone)
        } else {
            Style::new()
        };
        TableRow::new([
            Cell::from(Line::from(vec![
                Span::styled(sign, self.colour(Color::Red)),
                Span::styled(row.now.clone(), Style::new().add_modifier(Modifier::BOLD)),
            ])),
            Cell::from(row.change.clone()),
            Cell::from(Span::styled(trend(&row.values), colour)),
            Cell::from(end_of(&row.place, PLACE)),
            Cell::from(row.title.clone()),
            Cell::from(Span::styled(findings.join(", "), self.colour(Color::Green))),
        ])
    }

    fn draw_details(&self, frame: &mut Frame<'_>, area: Rect) {
        let rows = self.rows();
        let Some(row) = rows.get(self.table.selected().unwrap_or(0)) else {
            frame.render_widget(self.block(), area);
            return;
        };
        let mut lines = vec![
            Line::styled(row.title.clone(), Style::new().add_modifier(Modifier::BOLD)),
            Line::styled(format!("  {}", row.source), self.colour(Color::Yellow)),
        ];
        lines.extend(row.notes.iter().map(|note| Line::raw(format!("• {note}"))));
        let block = self
            .block()
            .title(format!(" {} ", row.place))
            .title_alignment(Alignment::Left);
        let text = Paragraph::new(Text::from(lines))
            .wrap(Wrap { trim: false })
            .block(block);
        frame.render_widget(text, area);
    }
}

/// The last values as bars, from the lowest to the highest.
fn trend(values: &[i64]) -> String {
    let shown = &values[values.len().saturating_sub(TREND)..];
    let most = shown.iter().copied().max().unwrap_or(0).max(1);
    shown
        .iter()
        .map(|value| {
            let share = (*value).max(0) as f64 / most as f64;
            LEVELS[((share * 7.0).round() as usize).min(7)]
        })
        .collect()
}

/// A path keeps its end, which tells more.
fn end_of(place: &str, most: usize) -> String {
    let length = place.chars().count();
    if length <= most {
        return place.to_owned();
    }
    let rest: String = place.chars().skip(length - most + 1).collect();
    format!("…{rest}")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use super::super::rows::{Look, Panel, Row, Tone};
    use super::{News, Screen, end_of, trend};

    fn look() -> Look {
        let panel = |heading: &str, tone, now: &str, change: &str| Panel {
            heading: heading.to_owned(),
            tone,
            now: now.to_owned(),
            change: change.to_owned(),
            most: now.to_owned(),
            points: (0..8)
                .map(|n| (f64::from(n) * 30.0, f64::from(n * n)))
                .collect(),
            absent: None,
        };
        let row = |tone, now: &str, place: &str, title: &str| Row {
            tone,
            warning: tone == Tone::Leaked,
            grows: true,
            now: now.to_owned(),
            change: format!("+{now}"),
            values: (0..8).map(|n| n * n).collect(),
            place: place.to_owned(),
            source: "results <- open(name)".to_owned(),
            title: title.to_owned(),
            findings: vec![("stuck-send".to_owned(), "proves")],
            notes: vec!["started at m.go:17 (40)".to_owned()],
        };
        Look {
            number: 8,
            elapsed: Duration::from_secs(210),
            panels: vec![
                panel("Heap in use", Tone::Memory, "64 MiB", "+32 MiB"),
                panel("Goroutines", Tone::Goroutines, "49", "+42"),
                Panel {
                    heading: "Goroutines stuck for ever".to_owned(),
                    tone: Tone::Leaked,
                    absent: Some("needs Go 1.27"),
                    ..Panel::default()
                },
            ],
            rows: vec![
                row(
                    Tone::Leaked,
                    "40",
                    "m.go:18",
                    "40 goroutines stuck for ever",
                ),
                row(
                    Tone::Memory,
                    "32 MiB",
                    "cache.go:7",
                    "32 MiB allocated here",
                ),
            ],
            problems: Vec::new(),
        }
    }

    fn drawn(screen: &mut Screen, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        terminal.draw(|frame| screen.draw(frame)).expect("is drawn");
        terminal.backend().to_string()
    }

    fn screen() -> Screen {
        let title = "http://localhost:6060/debug/pprof/".to_owned();
        let mut screen = Screen::new(title, Duration::from_secs(30));
        screen.hear(News::Look(Box::new(look())));
        screen
    }

    #[test]
    fn everything_is_on_the_screen() {
        let text = drawn(&mut screen(), 120, 32);
        for wanted in [
            "8 looks over 3:30, every 30 s, next in 30 s",
            "Heap in use 64 MiB  +32 MiB",
            "Goroutines 49  +42",
            "needs Go 1.27",
            "2 lines, 2 growing",
            "! 40 ",
            "m.go:18",
            "proves stuck-send",
            "• started at m.go:17 (40)",
            "q quit",
        ] {
            assert!(text.contains(wanted), "{wanted} in\n{text}");
        }
    }

    #[test]
    fn any_size_will_do() {
        for (width, height) in [(1, 1), (10, 3), (20, 15), (40, 16), (80, 24), (300, 100)] {
            drawn(&mut screen(), width, height);
            drawn(
                &mut Screen::new(String::new(), Duration::from_secs(1)),
                width,
                height,
            );
        }
        let text = drawn(&mut screen(), 80, 12);
        assert!(
            text.contains("Heap in use 64 MiB (+32 MiB), Goroutines 49"),
            "{text}"
        );
    }

    #[test]
    fn keys_choose() {
        let mut screen = screen();
        let (wishes, wished) = mpsc::channel();
        let press = |screen: &mut Screen, code| {
            screen.press(KeyEvent::new(code, KeyModifiers::NONE), &wishes)
        };
        assert!(press(&mut screen, KeyCode::Down));
        let text = drawn(&mut screen, 120, 32);
        assert!(text.contains(" cache.go:7 ─"), "{text}");
        assert!(press(&mut screen, KeyCode::Tab));
        let text = drawn(&mut screen, 120, 32);
        assert!(text.contains("1 line, 1 growing"), "{text}");
        assert!(press(&mut screen, KeyCode::Char('r')));
        assert!(wished.try_recv().is_ok());
        assert!(!press(&mut screen, KeyCode::Char('q')));
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert!(!screen.press(control_c, &wishes));
    }

    #[test]
    fn failures_are_told() {
        let mut screen = screen();
        screen.hear(News::Failed("nothing listens there".to_owned()));
        let text = drawn(&mut screen, 120, 32);
        assert!(text.contains(" nothing listens there"), "{text}");
        assert!(text.contains("m.go:18"), "what was seen stays: {text}");
    }

    #[test]
    fn trends_are_short() {
        assert_eq!(trend(&[0, 1, 2, 4, 8]), "▁▂▃▅█");
        assert_eq!(trend(&[]), "");
        assert_eq!(trend(&[-5, 0]), "▁▁");
        assert_eq!(trend(&[5; 40]).chars().count(), 12);
        assert_eq!(end_of("internal/m.go:1", 7), "…m.go:1");
    }
}
