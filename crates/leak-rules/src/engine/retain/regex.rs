//! Whether a regular expression surely compiles.
//!
//! This knows what most expressions are made of and says no to everything else, so that compiling one when the program starts cannot end it.

/// Larger counts are left to those who wrote them.
const MANY: u32 = 100;

/// Whether Go compiles the expression, as far as that is plain to see.
pub(crate) fn is_valid(pattern: &str) -> bool {
    let mut scan = Scan {
        rest: pattern,
        open: 0,
        repeatable: false,
        product: 1,
    };
    while let Some(next) = scan.take() {
        if scan.step(next).is_none() {
            return false;
        }
    }
    scan.open == 0
}

struct Scan<'a> {
    rest: &'a str,
    /// Parentheses that are not closed yet.
    open: u32,
    /// A repetition may follow.
    repeatable: bool,
    /// The product of all counts: that of nested ones must not be above 1,000.
    product: u32,
}

impl Scan<'_> {
    fn take(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.rest = &self.rest[next.len_utf8()..];
        Some(next)
    }

    fn skip(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn step(&mut self, next: char) -> Option<()> {
        match next {
            '\\' => {
                let escaped = self.take()?;
                if !is_escape(escaped) {
                    return None;
                }
                self.repeatable = true;
            }
            '(' => {
                self.open += 1;
                self.repeatable = false;
                if self.rest.starts_with('?') && !self.group() {
                    return None;
                }
            }
            ')' => {
                self.open = self.open.checked_sub(1)?;
                self.repeatable = true;
            }
            '|' => self.repeatable = false,
            '[' => {
                self.class()?;
                self.repeatable = true;
            }
            '*' | '+' | '?' => self.repeated()?,
            '{' => {
                self.counted()?;
                self.repeated()?;
            }
            '}' | ']' => return None,
            _ => self.repeatable = true,
        }
        Some(())
    }

    fn repeated(&mut self) -> Option<()> {
        if !self.repeatable {
            return None;
        }
        self.skip("?");
        self.repeatable = false;
        Some(())
    }

    /// `{n}`, `{n,}` or `{n,m}`, behind the brace.
    fn counted(&mut self) -> Option<()> {
        let (inside, rest) = self.rest.split_once('}')?;
        let (low, high) = match inside.split_once(',') {
            None => (inside, inside),
            Some((low, "")) => (low, low),
            Some((low, high)) => (low, high),
        };
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<u32>().ok().filter(|n| digits && *n <= MANY)
        };
        let (low, high) = (number(low)?, number(high)?);
        self.rest = rest;
        self.product = self.product.saturating_mul(high.max(1));
        (low <= high && self.product <= 1000).then_some(())
    }

    /// `?:`, `?i)` or `?P<name>`, behind the parenthesis.
    fn group(&mut self) -> bool {
        if self.skip("?:") {
            return true;
        }
        for flags in ["?i)", "?s)", "?m)", "?is)", "?im)", "?ms)"] {
            if self.skip(flags) {
                self.open -= 1;
                return true;
            }
        }
        if !self.skip("?P<") && !self.skip("?<") {
            return false;
        }
        // Two groups of one name would be a mistake: none is looked at here, so that only one may have a name.
        let Some((name, rest)) = self.rest.split_once('>') else {
            return false;
        };
        let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic());
        let again = rest.contains(&format!("<{name}>"));
        self.rest = rest;
        plain && !again
    }

    /// A class, behind its bracket.
    fn class(&mut self) -> Option<()> {
        self.skip("^");
        let mut first = true;
        loop {
            let low = self.take()?;
            match low {
                ']' if !first => return Some(()),
                '[' => return None,
                '\\' => {
                    let escaped = self.take()?;
                    if !is_escape(escaped) || matches!(escaped, 'b' | 'B' | 'A' | 'z') {
                        return None;
                    }
                    // A range from or to it is left alone.
                    if self.rest.starts_with('-') && !self.rest.starts_with("-]") {
                        return None;
                    }
                }
                '-' => {
                    // First or last.
                    if !first && !self.rest.starts_with(']') {
                        return None;
                    }
                }
                _ => {
                    if self.rest.starts_with('-') && !self.rest.starts_with("-]") {
                        self.skip("-");
                        let high = self.take()?;
                        if matches!(high, '\\' | '[' | ']') || high < low {
                            return None;
                        }
                    }
                }
            }
            first = false;
        }
    }
}

/// What may stand behind a backslash: a class, a place, a control character, or a punctuation mark.
fn is_escape(c: char) -> bool {
    c.is_ascii_punctuation()
        || matches!(
            c,
            'd' | 'D' | 'w' | 'W' | 's' | 'S' | 'b' | 'B' | 'A' | 'z' | 't' | 'n' | 'r' | 'f' | 'v'
        )
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn what_compiles() {
        for pattern in [
            "",
            "^[a-z]+-[0-9]+$",
            r"\d{1,3}(\.\d{1,3})",
            "a|b|",
            "(?i)name: (.*?)$",
            "(?P<key>[^=]+)=(?P<value>.*)",
            r"[\w.-]+@[\w.-]+",
            "[]a]",
            "[^-]x*",
            "<title>(.*)</title>",
        ] {
            assert!(is_valid(pattern), "{pattern}");
        }
    }

    #[test]
    fn what_may_not_compile() {
        for pattern in [
            "(",
            ")",
            "a)(b",
            "[a-z",
            "[z-a]",
            "*a",
            "a**",
            "(+)",
            "a{2,1}",
            "a{1001}",
            "a{,2}",
            r"\",
            r"\k",
            r"\1",
            "(?<=a)b",
            "(?=a)",
            "(?P<a>x)(?P<a>y)",
            "(a{50}){50}",
        ] {
            assert!(!is_valid(pattern), "{pattern}");
        }
    }
}
