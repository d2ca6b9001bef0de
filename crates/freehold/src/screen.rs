//! Where output goes and how it may look there: colours and progress only on a terminal, plain text everywhere else.
//! Standard output carries what was asked for; everything said about it (progress, warnings, hints) goes to standard
//! error, so that a pipe stays clean.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColourChoice {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always, even into a pipe
    Always,
    /// Never
    Never,
}

/// What one stream can show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// Somebody watches: tables are cut to the width, times are told relative to now, questions may be asked.
    pub(crate) terminal: bool,
    colour: bool,
    /// Columns, where that is known.
    width: Option<u16>,
}

impl Look {
    /// A pipe or a file.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self { terminal: false, colour: false, width: None }
    }

    /// A terminal of 80 columns.
    #[cfg(test)]
    pub(crate) fn colourful() -> Self {
        Self { terminal: true, colour: true, width: Some(80) }
    }

    fn of(
        terminal: bool,
        choice: ColourChoice,
        width: Option<u16>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let refused = environment("NO_COLOR").is_some_and(|value| !value.is_empty())
            || environment("TERM").is_some_and(|term| term == "dumb");
        let colour = match choice {
            ColourChoice::Auto => terminal && !refused,
            ColourChoice::Always => true,
            ColourChoice::Never => false,
        };
        Self { terminal, colour, width: width.filter(|_| terminal) }
    }

    /// Whether colours are shown.
    pub(crate) fn colour(&self) -> bool {
        self.colour
    }

    /// What others wrote (functions, templates, nodes) is not trusted with a person's terminal: control characters, which could move the
    /// cursor or set its title, are shown and not done. Their colours stay, where colours are wanted. A pipe gets what was written.
    pub(crate) fn clean(&self, text: &str) -> String {
        if !self.terminal || !text.contains(|letter: char| letter.is_control()) {
            return text.to_owned();
        }
        let mut clean = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            let colour = if letter == '\u{1b}' { colour_sequence(rest) } else { None };
            let taken = match (colour, letter) {
                (Some(bytes), _) => {
                    clean.push_str(if self.colour { &rest[..bytes] } else { "" });
                    bytes
                }
                (None, '\n' | '\t') => {
                    clean.push(letter);
                    1
                }
                (None, _) if letter.is_control() => {
                    clean.extend(letter.escape_default());
                    letter.len_utf8()
                }
                (None, _) => {
                    clean.push(letter);
                    letter.len_utf8()
                }
            };
            rest = &rest[taken..];
        }
        clean
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// A heading.
    pub(crate) fn strong(&self, text: &str) -> String {
        self.paint("1", text)
    }

    /// What matters less.
    pub(crate) fn faint(&self, text: &str) -> String {
        self.paint("2", text)
    }

    /// It worked.
    pub(crate) fn good(&self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Look here.
    pub(crate) fn wary(&self, text: &str) -> String {
        self.paint("33", text)
    }

    /// It failed.
    pub(crate) fn bad(&self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// Something to paste or to open.
    pub(crate) fn link(&self, text: &str) -> String {
        self.paint("36", text)
    }

    /// One of six colours, always the same for the same name.
    pub(crate) fn tint(&self, name: &str) -> String {
        const COLOURS: [&str; 6] = ["36", "35", "33", "32", "34", "31"];
        let sum = name.bytes().fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
        self.paint(COLOURS[sum % COLOURS.len()], name)
    }

    /// Columns under a heading, without lines: it reads well, and `awk` reads it too. Cut to a terminal's width, never
    /// cut elsewhere.
    pub(crate) fn table(&self, header: &[&str], rows: &[Vec<String>]) -> String {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        if let Some(width) = self.width {
            table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
        }
        if !header.is_empty() {
            table.set_header(header);
        }
        table.add_rows(rows.iter().map(|row| row.iter().map(|cell| self.clean(cell)).collect::<Vec<_>>()));
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let mut text = String::new();
        for (number, line) in table.lines().enumerate() {
            let line = line.trim_end();
            let heading = number == 0 && !header.is_empty();
            text.push_str(&if heading { self.strong(line) } else { line.to_owned() });
            text.push('\n');
        }
        text
    }
}

/// The length of `ESC [ digits and semicolons m`, if `text` begins with one.
fn colour_sequence(text: &str) -> Option<usize> {
    let inner = text.strip_prefix("\u{1b}[")?;
    let end = inner.find(|letter: char| !letter.is_ascii_digit() && letter != ';')?;
    inner[end..].starts_with('m').then_some(2 + end + 1)
}

/// Both streams of this process.
#[derive(Clone, Debug)]
pub(crate) struct Screen {
    /// Standard output.
    pub(crate) out: Look,
    /// Standard error.
    pub(crate) err: Look,
}

impl Screen {
    /// Two pipes.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self { out: Look::plain(), err: Look::plain() }
    }

    /// What this process was started with.
    pub(crate) fn detect(choice: ColourChoice) -> Self {
        let environment = |name: &str| std::env::var(name).ok();
        let width = |term: console::Term| term.size_checked().map(|(_, columns)| columns);
        Self {
            out: Look::of(io::stdout().is_terminal(), choice, width(console::Term::stdout()), environment),
            err: Look::of(io::stderr().is_terminal(), choice, width(console::Term::stderr()), environment),
        }
    }

    /// Writes to standard output as it is.
    pub(crate) fn print(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Writes a line to standard error. If nobody reads that any more, there is nobody to tell.
    pub(crate) fn say(&self, line: &str) {
        drop(writeln!(io::stderr().lock(), "{line}"));
    }

    /// Asks a question that is answered with y or n; no answer is no. Only a terminal is asked.
    pub(crate) fn confirm(&self, question: &str) -> io::Result<bool> {
        let mut err = io::stderr().lock();
        write!(err, "{question} [y/N] ")?;
        err.flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes"))
    }

    /// Whether there is a person who can answer [`Screen::confirm`].
    pub(crate) fn can_ask(&self) -> bool {
        self.err.terminal && io::stdin().is_terminal()
    }

    /// A line that moves while something is done, on a terminal; nothing elsewhere.
    pub(crate) fn progress(&self, message: impl Into<String>) -> ProgressBar {
        if !self.err.terminal {
            return ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        }
        let style = ProgressStyle::with_template("{spinner} {msg}").expect("the template is well-formed");
        let bar = ProgressBar::new_spinner().with_style(style).with_message(message.into());
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_that_want_it() {
        let check = |terminal, choice, variables: &[(&str, &str)], expected| {
            let environment = |name: &str| {
                variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
            };
            let look = Look::of(terminal, choice, Some(80), environment);
            assert_eq!(look.colour, expected, "{terminal} {choice:?} {variables:?}");
            assert_eq!(look.width.is_some(), terminal);
        };
        check(true, ColourChoice::Auto, &[], true);
        check(false, ColourChoice::Auto, &[], false);
        check(true, ColourChoice::Auto, &[("NO_COLOR", "1")], false);
        check(true, ColourChoice::Auto, &[("NO_COLOR", "")], true);
        check(true, ColourChoice::Auto, &[("TERM", "dumb")], false);
        check(true, ColourChoice::Auto, &[("TERM", "xterm")], true);
        check(false, ColourChoice::Always, &[("NO_COLOR", "1")], true);
        check(true, ColourChoice::Never, &[], false);
    }

    #[test]
    fn nobody_else_drives_the_terminal() {
        let colourless = Look { colour: false, ..Look::colourful() };
        for (text, coloured, plain) in [
            ("plain\ttext\nnext", "plain\ttext\nnext", "plain\ttext\nnext"),
            ("\u{1b}[1;31mred\u{1b}[0m", "\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("\u{1b}[2J\u{1b}[", "\\u{1b}[2J\\u{1b}[", "\\u{1b}[2J\\u{1b}["),
            ("a\rb\u{9b}", "a\\rb\\u{9b}", "a\\rb\\u{9b}"),
        ] {
            assert_eq!(Look::colourful().clean(text), coloured);
            assert_eq!(colourless.clean(text), plain);
            assert_eq!(Look::plain().clean(text), text, "a pipe gets what was written");
        }
    }

    #[test]
    fn tables_are_plain_columns() {
        let rows = [vec!["a".to_owned(), "nodejs24.x".to_owned()], vec!["hello-python".to_owned(), String::new()]];
        assert_eq!(
            Look::plain().table(&["NAME", "LANGUAGE"], &rows),
            "NAME          LANGUAGE\na             nodejs24.x\nhello-python\n"
        );
        assert_eq!(Look::plain().table(&[], &rows), "a             nodejs24.x\nhello-python\n");
        assert_eq!(
            Look::colourful().table(&["NAME", "LANGUAGE"], &rows[..1]),
            "\u{1b}[1mNAME  LANGUAGE\u{1b}[0m\na     nodejs24.x\n"
        );
    }

    #[test]
    fn a_table_fits_a_terminal_and_is_whole_in_a_pipe() {
        let rows = [vec!["x".repeat(30), "y".repeat(90)]];
        assert!(Look::colourful().table(&[], &rows).lines().all(|line| line.chars().count() <= 80));
        assert_eq!(Look::plain().table(&[], &rows).lines().count(), 1);
    }
}
