//! Reads JSON, letter by letter.

use super::{DEPTH_MAX, Json, Problem, SyntaxError};

/// What JSON takes for blanks.
pub(super) const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

/// Reads values from a place of a text on.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    /// In bytes.
    pub(super) at: usize,
}

impl Reader<'_> {
    fn next(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn fail<T>(&self, problem: Problem) -> Result<T, SyntaxError> {
        Err(SyntaxError { at: self.at, problem })
    }

    /// Fails because of what stands here, or because nothing does.
    fn unexpected<T>(&self) -> Result<T, SyntaxError> {
        let is_end = self.at >= self.text.len();
        self.fail(if is_end { Problem::Cut } else { Problem::Unexpected })
    }

    fn skip_blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches(BLANKS).len();
    }

    /// Takes this byte, if it is the next one.
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.next() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    pub(super) fn value(&mut self, depth: usize) -> Result<Json, SyntaxError> {
        self.skip_blanks();
        match self.next() {
            Some(b'{' | b'[') if depth == DEPTH_MAX => self.fail(Problem::TooDeep),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Json::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                for (word, value) in
                    [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))]
                {
                    let rest = &self.text[self.at..];
                    if rest.starts_with(word) {
                        self.at += word.len();
                        return Ok(value);
                    }
                    if !rest.is_empty() && word.starts_with(rest) {
                        return self.fail(Problem::Cut);
                    }
                }
                self.unexpected()
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json, SyntaxError> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_blanks();
        if self.take(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_blanks();
            if self.take(b']') {
                return Ok(Json::Array(items));
            }
            if !self.take(b',') {
                return self.unexpected();
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, SyntaxError> {
        self.at += 1;
        let mut members = Vec::new();
        self.skip_blanks();
        if self.take(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_blanks();
            if self.next() != Some(b'"') {
                return self.unexpected();
            }
            let name = self.string()?;
            self.skip_blanks();
            if !self.take(b':') {
                return self.unexpected();
            }
            members.push((name, self.value(depth + 1)?));
            self.skip_blanks();
            if self.take(b'}') {
                return Ok(Json::Object(members));
            }
            if !self.take(b',') {
                return self.unexpected();
            }
        }
    }

    fn string(&mut self) -> Result<String, SyntaxError> {
        let start = self.at;
        self.at += 1;
        let mut has_escapes = false;
        loop {
            match self.next() {
                None => return self.fail(Problem::Cut),
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escapes = true;
                    // What is escaped may be of several bytes; the next turn takes the others.
                    self.at += 2;
                    if self.at > self.text.len() {
                        self.at = self.text.len();
                    }
                }
                Some(0..0x20) => return self.fail(Problem::ControlCharacter),
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        match has_escapes {
            false => Ok(self.text[start + 1..self.at - 1].to_owned()),
            true => serde_json::from_str(&self.text[start..self.at])
                .map_err(|_| SyntaxError { at: start, problem: Problem::Escape }),
        }
    }

    fn digits(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        while self.next().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { self.unexpected() } else { Ok(()) }
    }

    fn number(&mut self) -> Result<Json, SyntaxError> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        // `01`, `1.2.3` and `12a` are no numbers, and no number with something behind it either.
        if self.next().is_some_and(|byte| byte.is_ascii_alphanumeric() || b".+-".contains(&byte)) {
            return self.fail(Problem::Unexpected);
        }
        Ok(Json::Number(self.text[start..self.at].into()))
    }
}
