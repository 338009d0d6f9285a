//! JSON as text: a reader that keeps numbers as they are written, and a writer that spells strings as Go does.

use crate::value::error::ValueError;

/// Nesting that a reader follows. kube-apiserver's own limit is higher, but no object of its API comes near this.
pub(in crate::value) const DEPTH_MAX: usize = 128;

/// A parsed value. Objects keep their order; of equal names the last one counts.
#[derive(Clone, PartialEq, Debug)]
pub(in crate::value) enum Json {
    Null,
    Bool(bool),
    /// The token.
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    pub(in crate::value) fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::Text(_) => "a string",
            Json::List(_) => "a list",
            Json::Object(_) => "an object",
        }
    }
}

fn malformed(problem: &'static str) -> ValueError {
    ValueError::malformed("JSON", problem)
}

/// Reads one value that fills `bytes`.
pub(in crate::value) fn parse(bytes: &[u8]) -> Result<Json, ValueError> {
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("not UTF-8"))?;
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(0)?;
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(malformed("more text after the value")),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    /// The next byte that is no blank.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                other => return other,
            }
        }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn expect(&mut self, wanted: u8, problem: &'static str) -> Result<(), ValueError> {
        if self.peek() != Some(wanted) {
            return Err(malformed(problem));
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Json, ValueError> {
        if depth == DEPTH_MAX {
            return Err(malformed("nested too deeply"));
        }
        match self.peek().ok_or_else(|| malformed("the text ends early"))? {
            b'{' => self.object(depth),
            b'[' => self.list(depth),
            b'"' => Ok(Json::Text(self.string()?)),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'n' => self.word("null", Json::Null),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, ValueError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(malformed("an unknown word"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn object(&mut self, depth: usize) -> Result<Json, ValueError> {
        self.at += 1;
        let mut fields = Vec::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(fields));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(malformed("a name is missing"));
            }
            let name = self.string()?;
            self.expect(b':', "a colon is missing")?;
            fields.push((name, self.value(depth + 1)?));
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(malformed("an object does not end")),
            }
        }
        self.at += 1;
        Ok(Json::Object(fields))
    }

    fn list(&mut self, depth: usize) -> Result<Json, ValueError> {
        self.at += 1;
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(malformed("a list does not end")),
            }
        }
        self.at += 1;
        Ok(Json::List(items))
    }

    fn number(&mut self) -> Result<Json, ValueError> {
        let start = self.at;
        let digits = |parser: &mut Self| {
            let from = parser.at;
            while parser.byte().is_some_and(|b| b.is_ascii_digit()) {
                parser.at += 1;
            }
            if parser.at == from { Err(malformed("a number has no digits")) } else { Ok(()) }
        };
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            digits(self)?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            digits(self)?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            digits(self)?;
        }
        Ok(Json::Number(self.text.get(start..self.at).unwrap_or_default().to_owned()))
    }

    /// A string; the cursor is on its opening quote.
    fn string(&mut self) -> Result<String, ValueError> {
        self.at += 1;
        let mut result = String::new();
        loop {
            let start = self.at;
            while self.byte().is_some_and(|b| b != b'"' && b != b'\\' && b >= 0x20) {
                self.at += 1;
            }
            // The run ends at an ASCII byte, so both ends are character boundaries.
            result.push_str(self.text.get(start..self.at).unwrap_or_default());
            match self.byte() {
                Some(b'"') => break,
                Some(b'\\') => result.push(self.escape()?),
                Some(_) => return Err(malformed("a control character in a string")),
                None => return Err(malformed("a string does not end")),
            }
        }
        self.at += 1;
        Ok(result)
    }

    fn escape(&mut self) -> Result<char, ValueError> {
        self.at += 2;
        Ok(match self.text.as_bytes().get(self.at - 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let first = self.hex()?;
                let second = self.text.get(self.at..).is_some_and(|rest| rest.starts_with("\\u"));
                if (0xd800..0xdc00).contains(&first) && second {
                    let before = self.at;
                    self.at += 2;
                    let low = self.hex()?;
                    if (0xdc00..0xe000).contains(&low) {
                        return Ok(char::from_u32(0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00))
                            .unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    self.at = before;
                }
                // A lone surrogate becomes U+FFFD, as in Go.
                char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return Err(malformed("an unknown escape in a string")),
        })
    }

    fn hex(&mut self) -> Result<u32, ValueError> {
        let digits = self.text.get(self.at..self.at + 4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at += 4;
        code.ok_or_else(|| malformed("an escape needs four hexadecimal digits"))
    }
}

/// Which characters a writer escapes beyond those that JSON demands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::value) enum Escape {
    /// Those of HTML and JavaScript, as Go's encoding/json does for whole objects.
    Html,
    /// None: the form in which trees and protobuf hold embedded JSON.
    Minimal,
}

/// Writes a string with its quotes.
pub(in crate::value) fn put_string(out: &mut Vec<u8>, text: &str, escape: Escape) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' if escape == Escape::Html => put_code(out, c),
            '\u{0}'..='\u{1f}' => put_code(out, c),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

fn put_code(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
}

/// Writes a value without blanks and with sorted names: the one form in which embedded JSON is kept.
pub(in crate::value) fn put_canonical(out: &mut Vec<u8>, value: &Json, escape: Escape) {
    match value {
        Json::Null => out.extend_from_slice(b"null"),
        Json::Bool(true) => out.extend_from_slice(b"true"),
        Json::Bool(false) => out.extend_from_slice(b"false"),
        Json::Number(token) => out.extend_from_slice(token.as_bytes()),
        Json::Text(text) => put_string(out, text, escape),
        Json::List(items) => {
            out.push(b'[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                put_canonical(out, item, escape);
            }
            out.push(b']');
        }
        Json::Object(fields) => {
            let sorted: std::collections::BTreeMap<&str, &Json> =
                fields.iter().map(|(name, value)| (name.as_str(), value)).collect();
            out.push(b'{');
            for (position, (name, value)) in sorted.into_iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                put_string(out, name, escape);
                out.push(b':');
                put_canonical(out, value, escape);
            }
            out.push(b'}');
        }
    }
}
