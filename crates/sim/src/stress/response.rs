//! A reader of IMAP responses of its own (RFC 9051 §9), so that a fault of the server's printer is
//! seen. It knows shapes, not meanings.

use std::fmt;

/// One piece of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Atoms, numbers, flags, sets, `NIL`, and `BODY[…]<…>` with its brackets.
    Atom(String),
    /// Quoted or literal.
    Text(Vec<u8>),
    List(Vec<Value>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Ok,
    No,
    Bad,
    Bye,
    Preauth,
}

/// The response code between brackets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// In capitals.
    pub name: String,
    pub values: Vec<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    Continue,
    /// `tag` is empty for an untagged one.
    Status {
        tag: String,
        status: Status,
        code: Option<Code>,
    },
    /// `* 3 EXISTS`, `* 3 FETCH (…)`.
    Numbered {
        number: u32,
        name: String,
        values: Vec<Value>,
    },
    /// `* SEARCH …`; the name in capitals.
    Data {
        name: String,
        values: Vec<Value>,
    },
}

impl Value {
    pub fn atom(&self) -> Option<&str> {
        match self {
            Value::Atom(text) => Some(text),
            _ => None,
        }
    }

    /// Of an atom or a string.
    pub fn text(&self) -> Option<String> {
        match self {
            Value::Atom(text) => Some(text.clone()),
            Value::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            Value::List(_) => None,
        }
    }

    pub fn list(&self) -> Option<&[Value]> {
        match self {
            Value::List(values) => Some(values),
            _ => None,
        }
    }

    pub fn number(&self) -> Option<u64> {
        self.atom()?.parse().ok()
    }

    pub fn is(&self, word: &str) -> bool {
        self.atom()
            .is_some_and(|atom| atom.eq_ignore_ascii_case(word))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// The size of the literal that a line (with its CRLF) announces.
pub fn announced(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"}\r\n")?;
    let open = line.iter().rposition(|byte| *byte == b'{')?;
    let digits = std::str::from_utf8(line.get(open + 1..)?).ok()?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// Takes one whole response, with its literals and the last CRLF.
pub fn parse(bytes: &[u8]) -> Result<Response, String> {
    let mut cursor = Cursor { bytes, at: 0 };
    if cursor.eat(b"+ ") {
        return Ok(Response::Continue);
    }
    let tag = cursor.word();
    cursor.space()?;
    if tag != "*" {
        let (status, code) = cursor.status()?.ok_or("a tagged response without status")?;
        return Ok(Response::Status { tag, status, code });
    }
    if let Some((status, code)) = cursor.status()? {
        let tag = String::new();
        return Ok(Response::Status { tag, status, code });
    }
    let word = cursor.word();
    if let Ok(number) = word.parse() {
        cursor.space()?;
        let name = cursor.word().to_ascii_uppercase();
        let values = cursor.rest()?;
        return Ok(Response::Numbered {
            number,
            name,
            values,
        });
    }
    let values = cursor.rest()?;
    let name = word.to_ascii_uppercase();
    Ok(Response::Data { name, values })
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn eat(&mut self, text: &[u8]) -> bool {
        let found = self.bytes[self.at..].starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn space(&mut self) -> Result<(), String> {
        match self.eat(b" ") {
            true => Ok(()),
            false => Err(format!("no space at byte {}", self.at)),
        }
    }

    /// Up to a space, parenthesis or CR.
    fn word(&mut self) -> String {
        let start = self.at;
        while !matches!(self.peek(), b' ' | b'\r' | b'\n' | b'(' | b')' | 0) {
            self.at += 1;
        }
        String::from_utf8_lossy(&self.bytes[start..self.at]).into_owned()
    }

    /// `OK [CODE …] text`; nothing is taken when it is no status.
    fn status(&mut self) -> Result<Option<(Status, Option<Code>)>, String> {
        let start = self.at;
        let status = match self.word().as_str() {
            "OK" => Status::Ok,
            "NO" => Status::No,
            "BAD" => Status::Bad,
            "BYE" => Status::Bye,
            "PREAUTH" => Status::Preauth,
            _ => {
                self.at = start;
                return Ok(None);
            }
        };
        self.space()?;
        if self.peek() != b'[' {
            return Ok(Some((status, None)));
        }
        self.at += 1;
        let mut code = Code::default();
        let start = self.at;
        while !matches!(self.peek(), b' ' | b']' | 0) {
            self.at += 1;
        }
        code.name = String::from_utf8_lossy(&self.bytes[start..self.at]).to_ascii_uppercase();
        while self.peek() == b' ' {
            self.at += 1;
            code.values.push(self.value(true)?);
        }
        if !self.eat(b"] ") {
            return Err("a response code without end, or without text".to_owned());
        }
        Ok(Some((status, Some(code))))
    }

    /// All values up to the end of the response.
    fn rest(&mut self) -> Result<Vec<Value>, String> {
        let mut values = Vec::new();
        // THREAD puts its lists side by side.
        while self.peek() == b' ' || (self.peek() == b'(' && !values.is_empty()) {
            self.eat(b" ");
            if self.bytes[self.at..] == *b"\r\n" {
                return Err("a space at the end".to_owned());
            }
            values.push(self.value(false)?);
        }
        match self.bytes[self.at..] == *b"\r\n" {
            true => Ok(values),
            false => Err(format!("not understood from byte {}", self.at)),
        }
    }

    fn value(&mut self, in_code: bool) -> Result<Value, String> {
        match self.peek() {
            b'(' => self.list(in_code),
            b'"' => self.quoted(),
            b'{' => self.literal(),
            _ => self.atom(in_code),
        }
    }

    fn list(&mut self, in_code: bool) -> Result<Value, String> {
        self.at += 1;
        let mut values = Vec::new();
        loop {
            match self.peek() {
                b')' => {
                    self.at += 1;
                    return Ok(Value::List(values));
                }
                // So do THREAD and addresses inside.
                b' ' if !values.is_empty() => self.at += 1,
                b'(' => {}
                _ if values.is_empty() => {}
                _ => return Err(format!("a list without end at byte {}", self.at)),
            }
            values.push(self.value(in_code)?);
        }
    }

    fn quoted(&mut self) -> Result<Value, String> {
        self.at += 1;
        let mut text = Vec::new();
        loop {
            match self.peek() {
                b'"' => {
                    self.at += 1;
                    return Ok(Value::Text(text));
                }
                b'\\' => self.at += 1,
                b'\r' | b'\n' | 0 => return Err("a string without end".to_owned()),
                _ => {}
            }
            text.push(self.peek());
            self.at += 1;
        }
    }

    fn literal(&mut self) -> Result<Value, String> {
        let line = self.bytes[self.at..].split_inclusive(|byte| *byte == b'\n');
        let line = line.take(1).next().unwrap_or_default();
        let size = announced(line).ok_or("a brace that is no literal")?;
        let start = self.at + line.len();
        let bytes = self.bytes.get(start..start + size);
        self.at = start + size;
        Ok(Value::Text(bytes.ok_or("a literal cut off")?.to_vec()))
    }

    fn atom(&mut self, in_code: bool) -> Result<Value, String> {
        let start = self.at;
        let mut depth = 0_u32;
        loop {
            match self.peek() {
                b'[' => depth += 1,
                b']' if depth == 0 && in_code => break,
                b']' => depth = depth.saturating_sub(1),
                b' ' | b'(' | b')' if depth == 0 => break,
                b'\r' | b'\n' | 0 => break,
                _ => {}
            }
            self.at += 1;
        }
        if self.at == start {
            return Err(format!("an empty value at byte {start}"));
        }
        let text = std::str::from_utf8(&self.bytes[start..self.at]);
        Ok(Value::Atom(text.map_err(|e| e.to_string())?.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_servers_say() {
        let fetch = parse(
            b"* 2 FETCH (UID 7 FLAGS (\\Seen kw) BODY[HEADER.FIELDS (a b)]<0> {3}\r\na)b X NIL)\r\n",
        )
        .unwrap();
        let Response::Numbered {
            number: 2, values, ..
        } = fetch
        else {
            panic!("{fetch:?}");
        };
        let items = values[0].list().unwrap();
        assert_eq!(items[3].list().unwrap()[1].atom(), Some("kw"));
        assert_eq!(items[4].atom(), Some("BODY[HEADER.FIELDS (a b)]<0>"));
        assert_eq!(items[5], Value::Text(b"a)b".to_vec()));
        let tagged = parse(b"a1 OK [COPYUID 5 1:2,4 7:9] Done.\r\n").unwrap();
        let Response::Status {
            code: Some(code), ..
        } = tagged
        else {
            panic!("{tagged:?}");
        };
        assert_eq!(code.values[2].atom(), Some("7:9"));
        assert!(parse(b"* THREAD (1)(2 3 (4)(5))\r\n").is_ok());
    }

    #[test]
    fn refuses_what_is_not_whole() {
        for wrong in [
            &b"* 2 FETCH (UID 7\r\n"[..],
            b"* SEARCH 1 \r\n",
            b"* LIST () \"/\r\n",
            b"a1 FINE\r\n",
            b"* 1 FETCH (A  B)\r\n",
        ] {
            assert!(parse(wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
    }
}
