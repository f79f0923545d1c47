//! From the tree to the program. Rows of commands and tests are in [`commands`] and [`tests`]; what
//! steers (RFC 5228 §3, RFC 6609) is here.

mod arguments;
mod commands;
mod control;
mod tests;

use std::collections::HashMap;

use crate::capability::{Capability, Required};
use crate::error::{Error, Problem};
use crate::lexer;
use crate::limits;
use crate::program::{Op, Program, Subroutine};
use crate::syntax::{self, Node};
use crate::text::{self, Piece, Reference, Text};

/// Where an included script lies (RFC 6609 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    Personal,
    Global,
}

/// Where included scripts come from.
pub trait Library {
    fn script(&self, place: Place, name: &str) -> Option<String>;
}

/// A library without scripts.
#[derive(Clone, Copy, Debug)]
pub struct NoScripts;

impl Library for NoScripts {
    fn script(&self, _: Place, _: &str) -> Option<String> {
        None
    }
}

/// Compiles a script with all that it includes. What is wrong with an included script is found when
/// it would run (RFC 6609 §3.1).
pub fn compile(script: &str, library: &dyn Library) -> Result<Program, Error> {
    let mut compiler = Compiler {
        library,
        ops: Vec::new(),
        lines: Vec::new(),
        line: 1,
        scope: Scope::default(),
        slots: 0,
        scripts: Vec::new(),
        known: HashMap::new(),
        open: Vec::new(),
        leaves: Vec::new(),
        needs_body: false,
    };
    compiler.script(script)?;
    compiler
        .push(Op::Stop)
        .map_err(|problem| Error::new(1, problem))?;
    Ok(Program {
        ops: compiler.ops,
        lines: compiler.lines,
        slots: compiler.slots.max(compiler.scope.slots),
        scripts: compiler.scripts,
        needs_body: compiler.needs_body,
    })
}

/// What one script knows: its extensions and variables.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    pub required: Required,
    names: HashMap<String, usize>,
    /// Those of [`Scope::names`] that other scripts share.
    shared: Vec<String>,
    /// RFC 6609 §3.4: variables that every script may reach, handed from script to script.
    globals: HashMap<String, usize>,
    /// The next free place, in the whole program.
    slots: usize,
    /// Names of the loops around, outermost first; empty: it has none.
    pub loops: Vec<String>,
}

impl Scope {
    pub(crate) fn need(&self, name: &str, capability: Capability) -> Result<(), Problem> {
        if self.required.has(capability) {
            return Ok(());
        }
        Err(Problem::Requires {
            name: name.to_owned(),
            capability: capability.name().to_owned(),
        })
    }

    /// A string of the script, with the extensions that are on.
    pub(crate) fn text(&mut self, text: &str) -> Result<Text, Problem> {
        let decoded;
        let mut text = text;
        if self.required.has(Capability::EncodedCharacter) {
            decoded = text::decode_characters(text)?;
            text = &decoded;
        }
        if !self.required.has(Capability::Variables) {
            return Ok(Text::literal(text));
        }
        text::with_variables(text, |reference| match reference {
            Reference::Match(number) => Ok(Piece::Match(number)),
            Reference::Name(name) => Ok(Piece::Slot(self.slot(&name)?)),
            Reference::Space(space, rest) => Ok(Piece::Slot(self.spaced(&space, &rest)?)),
        })
    }

    /// RFC 6609 §3.4.2: the one namespace there is.
    fn spaced(&mut self, space: &str, rest: &str) -> Result<usize, Problem> {
        if space != "global"
            || !self.required.has(Capability::Include)
            || !text::is_identifier(rest)
        {
            return Err(Problem::Namespace(format!("{space}.{rest}")));
        }
        self.global(rest)
    }

    /// The place of a shared variable by its name in lower case.
    pub(crate) fn global(&mut self, name: &str) -> Result<usize, Problem> {
        if let Some(slot) = self.globals.get(name) {
            return Ok(*slot);
        }
        if self.globals.len() >= limits::VARIABLES_MAX {
            return Err(Problem::TooManyVariables);
        }
        let slot = self.slots;
        self.slots += 1;
        self.globals.insert(name.to_owned(), slot);
        Ok(slot)
    }

    /// The place of a variable by its name in lower case.
    pub(crate) fn slot(&mut self, name: &str) -> Result<usize, Problem> {
        if let Some(slot) = self.names.get(name) {
            return Ok(*slot);
        }
        if self.names.len() >= limits::VARIABLES_MAX {
            return Err(Problem::TooManyVariables);
        }
        let slot = self.slots;
        self.slots += 1;
        self.names.insert(name.to_owned(), slot);
        Ok(slot)
    }

    /// The place of a variable that is set: a plain identifier (RFC 5229 §4).
    pub(crate) fn slot_to_set(&mut self, name: &str) -> Result<usize, Problem> {
        match text::reference(name) {
            Some(Reference::Name(name)) => self.slot(&name),
            Some(Reference::Space(space, rest)) => self.spaced(&space, &rest),
            Some(Reference::Match(_)) | None => Err(Problem::VariableName(name.to_owned())),
        }
    }
}

pub(crate) struct Compiler<'a> {
    library: &'a dyn Library,
    ops: Vec<Op>,
    lines: Vec<u32>,
    /// Of the command or test at hand.
    line: u32,
    pub(crate) scope: Scope,
    /// Places of variables that are taken.
    slots: usize,
    scripts: Vec<Subroutine>,
    /// Included scripts by name; `Err`: why it can't be.
    known: HashMap<(Place, String), Result<usize, Problem>>,
    /// Those that are being compiled, outermost first.
    open: Vec<(Place, String)>,
    /// Of each loop around: where it is left, to be told where its end is.
    leaves: Vec<Vec<usize>>,
    pub(crate) needs_body: bool,
}

impl Compiler<'_> {
    fn script(&mut self, script: &str) -> Result<(), Error> {
        let commands = syntax::parse(lexer::tokens(script)?)?;
        self.block(&commands, true)
    }

    pub(crate) fn push(&mut self, op: Op) -> Result<usize, Problem> {
        if self.ops.len() >= limits::PROGRAM_OPS_MAX {
            return Err(Problem::ProgramTooLong);
        }
        self.ops.push(op);
        self.lines.push(self.line);
        Ok(self.ops.len() - 1)
    }

    /// Makes the jump at that place lead to what comes next.
    fn land(&mut self, place: usize) {
        let here = self.ops.len();
        if let Some(
            Op::Jump(to)
            | Op::JumpUnless(to)
            | Op::JumpWhen(to)
            | Op::Next(to)
            | Op::Break { to, .. },
        ) = self.ops.get_mut(place)
        {
            *to = here;
        }
    }

    fn at(&self, problem: Problem) -> Error {
        Error::new(self.line, problem)
    }

    /// `top`: the script itself, where `require` may stand.
    fn block(&mut self, commands: &[Node], top: bool) -> Result<(), Error> {
        let mut rest = commands;
        let mut may_require = top;
        while let Some((node, after)) = rest.split_first() {
            rest = after;
            self.line = node.line;
            if node.name == "require" {
                if !may_require {
                    return Err(self.at(Problem::LateRequire));
                }
                self.require(node).map_err(|problem| self.at(problem))?;
                continue;
            }
            may_require = false;
            let mut chain = vec![node];
            if node.name == "if" {
                while let Some((next, after)) = rest.split_first() {
                    if !matches!(next.name.as_str(), "elsif" | "else") {
                        break;
                    }
                    chain.push(next);
                    rest = after;
                    if next.name == "else" {
                        break;
                    }
                }
            }
            self.deferred(|compiler| match node.name.as_str() {
                "if" => compiler.branches(&chain),
                "foreverypart" => compiler.every_part(node),
                "break" => compiler.leave(node).map_err(|problem| compiler.at(problem)),
                _ => compiler.command(node),
            })?;
        }
        Ok(())
    }

    /// RFC 5463 §4: where `ihave` is on, what can't be compiled fails when it is reached.
    fn deferred(
        &mut self,
        build: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let start = self.ops.len();
        let line = self.line;
        match build(self) {
            Err(error) if self.scope.required.has(Capability::Ihave) => {
                self.cut(start);
                self.line = line;
                self.push(Op::Fail(error.problem))
                    .map(|_| ())
                    .map_err(|problem| self.at(problem))
            }
            result => result,
        }
    }

    /// Takes back all instructions from there on, and the included scripts among them.
    fn cut(&mut self, start: usize) {
        self.ops.truncate(start);
        self.lines.truncate(start);
        for leaves in &mut self.leaves {
            leaves.retain(|place| *place < start);
        }
        let scripts = &self.scripts;
        self.known.retain(|_, script| match script {
            Ok(place) => scripts
                .get(*place)
                .is_some_and(|script| script.entry < start),
            Err(_) => true,
        });
    }

    /// RFC 5228 §3.2.
    fn require(&mut self, node: &Node) -> Result<(), Problem> {
        let names = match node.arguments.as_slice() {
            [syntax::Argument::Text(name)] => std::slice::from_ref(name),
            [syntax::Argument::List(names)] => names.as_slice(),
            _ => return Err(Problem::Arguments(node.name.clone())),
        };
        if !node.tests.is_empty() {
            return Err(Problem::Tests(node.name.clone()));
        }
        if node.block.is_some() {
            return Err(Problem::NoBlock(node.name.clone()));
        }
        for name in names {
            let capability = Capability::named(name);
            let capability = capability.ok_or_else(|| Problem::UnknownCapability(name.clone()))?;
            self.scope.required.add(capability);
        }
        Ok(())
    }

    /// RFC 5228 §3.1: `if` with its `elsif`s and `else`.
    fn branches(&mut self, chain: &[&Node]) -> Result<(), Error> {
        let mut ends = Vec::new();
        for node in chain {
            self.line = node.line;
            if !node.arguments.is_empty() {
                return Err(self.at(Problem::Arguments(node.name.clone())));
            }
            let Some(block) = &node.block else {
                return Err(self.at(Problem::NeedsBlock(node.name.clone())));
            };
            let skip = match (node.name.as_str(), node.tests.as_slice(), node.test_list) {
                ("else", [], _) => None,
                ("if" | "elsif", [test], false) => {
                    self.test(test)?;
                    Some(self.push(Op::JumpUnless(0)).map_err(|p| self.at(p))?)
                }
                _ => return Err(self.at(Problem::Tests(node.name.clone()))),
            };
            self.block(block, false)?;
            if node.name != "else" {
                ends.push(self.push(Op::Jump(0)).map_err(|p| self.at(p))?);
            }
            if let Some(skip) = skip {
                self.land(skip);
            }
        }
        for end in ends {
            self.land(end);
        }
        Ok(())
    }

    /// Leaves the test's result in the register.
    fn test(&mut self, node: &Node) -> Result<(), Error> {
        self.deferred(|compiler| {
            compiler.line = node.line;
            match node.name.as_str() {
                "not" => compiler.negation(node),
                "allof" => compiler.combination(node, Op::JumpUnless(0)),
                "anyof" => compiler.combination(node, Op::JumpWhen(0)),
                _ => compiler.plain_test(node),
            }
        })
    }

    /// RFC 5228 §5.8.
    fn negation(&mut self, node: &Node) -> Result<(), Error> {
        match (
            node.arguments.as_slice(),
            node.tests.as_slice(),
            node.test_list,
        ) {
            ([], [test], false) => self.test(test)?,
            _ => return Err(self.at(Problem::Tests(node.name.clone()))),
        }
        self.push(Op::Not).map(|_| ()).map_err(|p| self.at(p))
    }

    /// RFC 5228 §5.2, §5.3, from left to right and no further than needed (RFC 5229 §3.2).
    fn combination(&mut self, node: &Node, leave: Op) -> Result<(), Error> {
        if !node.arguments.is_empty() || node.tests.is_empty() || !node.test_list {
            return Err(self.at(Problem::Tests(node.name.clone())));
        }
        let mut exits = Vec::new();
        for (place, test) in node.tests.iter().enumerate() {
            self.test(test)?;
            if place + 1 < node.tests.len() {
                exits.push(self.push(leave.clone()).map_err(|p| self.at(p))?);
            }
        }
        for exit in exits {
            self.land(exit);
        }
        Ok(())
    }
}
