//! RFC 5228 §8.2: tokens as a tree of commands and tests. What the names mean is no matter here.

use crate::error::{Error, Problem};
use crate::lexer::{Kind, Token};
use crate::limits;

/// A command or a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Lower case.
    pub name: String,
    pub line: u32,
    pub arguments: Vec<Argument>,
    pub tests: Vec<Node>,
    /// The tests stand in parentheses.
    pub test_list: bool,
    pub block: Option<Vec<Node>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    Number(u64),
    Tag(String),
    Text(String),
    List(Vec<String>),
}

/// The commands of a script.
pub fn parse(tokens: Vec<Token>) -> Result<Vec<Node>, Error> {
    let mut parser = Parser {
        tokens: tokens.into_iter().peekable(),
        line: 1,
    };
    let commands = parser.commands(0)?;
    match parser.tokens.next() {
        None => Ok(commands),
        Some(token) => Err(unexpected(&token)),
    }
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    line: u32,
}

impl Parser {
    fn peek(&mut self) -> Option<&Kind> {
        self.tokens.peek().map(|token| &token.kind)
    }

    fn next(&mut self) -> Result<Token, Error> {
        let token = self
            .tokens
            .next()
            .ok_or(Error::new(self.line, Problem::Ends))?;
        self.line = token.line;
        Ok(token)
    }

    fn eat(&mut self, mark: char) -> bool {
        let found = self.peek() == Some(&Kind::Mark(mark));
        if found {
            let _ = self.next();
        }
        found
    }

    fn commands(&mut self, depth: usize) -> Result<Vec<Node>, Error> {
        let mut commands = Vec::new();
        while matches!(self.peek(), Some(Kind::Identifier(_))) {
            let mut command = self.node(depth)?;
            if self.eat('{') {
                if depth >= limits::DEPTH_MAX {
                    return Err(Error::new(self.line, Problem::TooDeep));
                }
                command.block = Some(self.commands(depth + 1)?);
                if !self.eat('}') {
                    return Err(self.missing('}'));
                }
            } else if !self.eat(';') {
                return Err(self.missing(';'));
            }
            commands.push(command);
        }
        Ok(commands)
    }

    fn missing(&mut self, mark: char) -> Error {
        Error::new(self.line, Problem::Missing(mark))
    }

    /// A name, its arguments and its tests.
    fn node(&mut self, depth: usize) -> Result<Node, Error> {
        let token = self.next()?;
        let Kind::Identifier(name) = token.kind else {
            return Err(unexpected(&token));
        };
        let mut node = Node {
            name,
            line: token.line,
            arguments: Vec::new(),
            tests: Vec::new(),
            test_list: false,
            block: None,
        };
        if depth > limits::DEPTH_MAX {
            return Err(Error::new(node.line, Problem::TooDeep));
        }
        while let Some(argument) = self.argument()? {
            node.arguments.push(argument);
        }
        match self.peek() {
            Some(Kind::Identifier(_)) => node.tests.push(self.node(depth + 1)?),
            Some(Kind::Mark('(')) => {
                self.next()?;
                node.test_list = true;
                loop {
                    node.tests.push(self.node(depth + 1)?);
                    if !self.eat(',') {
                        break;
                    }
                }
                if !self.eat(')') {
                    return Err(self.missing(')'));
                }
            }
            _ => {}
        }
        Ok(node)
    }

    fn argument(&mut self) -> Result<Option<Argument>, Error> {
        let argument = match self.peek() {
            Some(Kind::Number(number)) => Argument::Number(*number),
            Some(Kind::Tag(tag)) => Argument::Tag(tag.clone()),
            Some(Kind::Text(text)) => Argument::Text(text.clone()),
            Some(Kind::Mark('[')) => {
                self.next()?;
                return self.list().map(Some);
            }
            _ => return Ok(None),
        };
        self.next()?;
        Ok(Some(argument))
    }

    /// After its bracket.
    fn list(&mut self) -> Result<Argument, Error> {
        let mut list = Vec::new();
        loop {
            let token = self.next()?;
            match token.kind {
                Kind::Text(text) => list.push(text),
                _ => return Err(unexpected(&token)),
            }
            if !self.eat(',') {
                break;
            }
        }
        if !self.eat(']') {
            return Err(self.missing(']'));
        }
        Ok(Argument::List(list))
    }
}

fn unexpected(token: &Token) -> Error {
    let found = match &token.kind {
        Kind::Identifier(name) => name.clone(),
        Kind::Tag(name) => format!(":{name}"),
        Kind::Number(number) => number.to_string(),
        Kind::Text(_) => "\"...\"".to_owned(),
        Kind::Mark(mark) => mark.to_string(),
    };
    Error::new(token.line, Problem::Unexpected(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexer::tokens;

    fn parsed(script: &str) -> Result<Vec<Node>, Error> {
        parse(tokens(script)?)
    }

    #[test]
    fn a_tree() {
        let tree = parsed(
            r#"if anyof (not exists ["From", "Date"],
                    header :contains "from" "fool@example.com") { discard; }"#,
        )
        .unwrap();
        assert_eq!(tree.len(), 1);
        let test = &tree[0].tests[0];
        assert_eq!((test.name.as_str(), test.tests.len()), ("anyof", 2));
        assert!(test.test_list);
        let exists = &test.tests[0].tests[0];
        assert_eq!(
            exists.arguments,
            [Argument::List(vec!["From".into(), "Date".into()])]
        );
        assert_eq!(tree[0].block.as_ref().unwrap()[0].name, "discard");
    }

    #[test]
    fn what_is_wrong_has_a_line() {
        for (script, line, problem) in [
            ("keep", 1, Problem::Missing(';')),
            ("if true {\nkeep;", 2, Problem::Missing('}')),
            ("\n}", 2, Problem::Unexpected("}".into())),
            ("fileinto [\"a\" \"b\"];", 1, Problem::Missing(']')),
            ("fileinto [];", 1, Problem::Unexpected("]".into())),
            ("if anyof (true\n, {", 2, Problem::Unexpected("{".into())),
            ("if anyof (true", 1, Problem::Missing(')')),
            ("if not", 1, Problem::Missing(';')),
        ] {
            assert_eq!(parsed(script), Err(Error::new(line, problem)), "{script}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = |n: usize| format!("{}{}", "if true {".repeat(n), "}".repeat(n));
        assert!(parsed(&deep(limits::DEPTH_MAX)).is_ok());
        assert!(parsed(&deep(limits::DEPTH_MAX + 1)).is_err());
        let nots = |n: usize| format!("if {} true {{}}", "not ".repeat(n));
        assert!(parsed(&nots(limits::DEPTH_MAX - 1)).is_ok());
        assert!(parsed(&nots(10_000)).is_err());
    }
}
