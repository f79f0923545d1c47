//! RFC 6609: `include`, `return` and `global`; RFC 5703 §3: `foreverypart` and `break`.

use super::arguments::{Arguments, Shape, Tag, Want, constant, tag};
use super::{Compiler, Place, Scope};
use crate::capability::Capability;
use crate::error::{Error, Problem};
use crate::limits;
use crate::program::{Op, Subroutine};
use crate::syntax::Node;

/// RFC 5703 §3.
const LOOP: Shape = Shape {
    tags: &[NAME],
    positional: &[],
    optional_first: false,
    optional_last: false,
};
const NAME: &[Tag] = &[tag("name", "name").with(Want::String)];

impl Compiler<'_> {
    /// RFC 6609 §3.2: the script becomes a subroutine, compiled once.
    pub(super) fn include(&mut self, arguments: &Arguments) -> Result<Op, Problem> {
        let name = constant("include", &arguments.text(0))?;
        let place = match arguments.of_set("location") {
            Some("global") => Place::Global,
            _ => Place::Personal,
        };
        let (once, optional) = (arguments.has("once"), arguments.has("optional"));
        let key = (place, name.clone());
        if self.open.contains(&key) || self.open.len() >= limits::CALLS_MAX {
            // An inclusion of itself counts as done already.
            let done = once && self.open.contains(&key);
            return Ok(if done {
                self.nothing()
            } else {
                Op::Fail(Problem::IncludeCircle(name))
            });
        }
        if let Some(known) = self.known.get(&key) {
            return Ok(match known {
                Ok(script) => Op::Call {
                    script: *script,
                    once,
                },
                Err(Problem::MissingScript(_)) if optional => self.nothing(),
                Err(problem) => Op::Fail(problem.clone()),
            });
        }
        if self.known.len() >= limits::INCLUDES_MAX {
            return Err(Problem::TooManyIncludes);
        }
        let built = match self.library.script(place, &name) {
            None => Err(Problem::MissingScript(name)),
            Some(text) => self.subroutine(key.clone(), &text),
        };
        self.known.insert(key, built.clone());
        Ok(match built {
            Ok(script) => Op::Call { script, once },
            Err(Problem::MissingScript(_)) if optional => self.nothing(),
            Err(problem) => Op::Fail(problem),
        })
    }

    fn nothing(&self) -> Op {
        Op::Jump(self.ops.len() + 1)
    }

    /// Puts the script here, with a jump around it.
    fn subroutine(&mut self, key: (Place, String), text: &str) -> Result<usize, Problem> {
        let around = self.push(Op::Jump(0))?;
        let line = self.line;
        let entry = self.ops.len();
        // What the script outside has so far is taken.
        self.slots = self.slots.max(self.scope.slots);
        let mut globals = std::mem::take(&mut self.scope.globals);
        let outer = std::mem::replace(
            &mut self.scope,
            Scope {
                slots: self.slots,
                globals: std::mem::take(&mut globals),
                ..Scope::default()
            },
        );
        self.open.push(key);
        let built = self.script(text).and_then(|()| {
            self.push(Op::Return)
                .map_err(|problem| Error::new(self.line, problem))
        });
        self.open.pop();
        let inner = std::mem::replace(&mut self.scope, outer);
        self.slots = self.slots.max(inner.slots);
        self.scope.slots = self.slots;
        self.scope.globals = inner.globals;
        self.line = line;
        if let Err(error) = built {
            self.cut(around);
            return Err(error.problem);
        }
        self.land(around);
        let shared = inner.shared;
        let own = inner.names.into_iter();
        let own = own.filter(|(name, _)| !shared.contains(name));
        self.scripts.push(Subroutine {
            entry,
            slots: own.map(|(_, slot)| slot).collect(),
        });
        Ok(self.scripts.len() - 1)
    }

    /// RFC 5703 §3: a loop over the parts.
    pub(super) fn every_part(&mut self, node: &Node) -> Result<(), Error> {
        let name = self.loop_name(node).map_err(|problem| self.at(problem))?;
        let Some(block) = &node.block else {
            return Err(self.at(Problem::NeedsBlock(node.name.clone())));
        };
        if self.scope.loops.len() >= limits::LOOPS_MAX {
            return Err(self.at(Problem::TooDeep));
        }
        self.needs_body = true;
        self.push(Op::Loop).map_err(|p| self.at(p))?;
        let top = self.push(Op::Next(0)).map_err(|p| self.at(p))?;
        self.scope.loops.push(name.unwrap_or_default());
        self.leaves.push(vec![top]);
        let built = self.block(block, false);
        let built = built.and_then(|()| self.push(Op::Jump(top)).map_err(|p| self.at(p)));
        self.scope.loops.pop();
        let leaves = self.leaves.pop().unwrap_or_default();
        built?;
        for place in leaves {
            self.land(place);
        }
        Ok(())
    }

    /// RFC 5703 §3: leaves the nearest loop, or the nearest one of a name.
    pub(super) fn leave(&mut self, node: &Node) -> Result<(), Problem> {
        let name = self.loop_name(node)?;
        if node.block.is_some() {
            return Err(Problem::NoBlock(node.name.clone()));
        }
        let mut inner = self.scope.loops.iter().rev();
        let place = match &name {
            None => (!self.scope.loops.is_empty()).then_some(0),
            Some(name) => inner.position(|have| have == name),
        };
        let place = place.ok_or_else(|| Problem::NotInLoop(node.name.clone()))?;
        let op = self.push(Op::Break {
            loops: place + 1,
            to: 0,
        })?;
        let index = self.leaves.len().saturating_sub(place + 1);
        if let Some(leaves) = self.leaves.get_mut(index) {
            leaves.push(op);
        }
        Ok(())
    }

    fn loop_name(&mut self, node: &Node) -> Result<Option<String>, Problem> {
        self.scope.need(&node.name, Capability::Foreverypart)?;
        if !node.tests.is_empty() {
            return Err(Problem::Tests(node.name.clone()));
        }
        let arguments = Arguments::read(&node.name, LOOP, &node.arguments, &mut self.scope)?;
        arguments.tag_constant("name")
    }

    /// RFC 6609 §3.4.1.
    pub(super) fn global(&mut self, arguments: &Arguments) -> Result<Op, Problem> {
        self.scope.need("global", Capability::Variables)?;
        for text in arguments.texts(0) {
            let name = constant("global", &text)?;
            let lower = name.to_ascii_lowercase();
            if !crate::text::is_identifier(&name) {
                return Err(Problem::VariableName(name));
            }
            if self.scope.names.contains_key(&lower) {
                if self.scope.shared.contains(&lower) {
                    continue;
                }
                return Err(Problem::VariableName(name));
            }
            let slot = self.scope.global(&lower)?;
            self.scope.names.insert(lower.clone(), slot);
            self.scope.shared.push(lower);
        }
        Ok(self.nothing())
    }
}
