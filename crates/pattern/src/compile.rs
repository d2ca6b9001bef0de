//! A pattern's text becomes branches.

mod matching;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::address::Address;
use crate::branch::{Branch, Field};
use crate::condition::Condition;
use crate::fields::Fields;
use crate::lexer::{Lexer, Token};
use crate::malformed::{Malformed, Why};
use crate::number::Comparable;

/// A compiled pattern.
///
/// ```
/// let pattern = pattern::Pattern::compile(r#"{"detail": {"state": [{"prefix": "run"}]}}"#).unwrap();
/// assert!(pattern.matches(&serde_json::json!({"detail": {"state": "running"}})));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    pub(crate) paths: Vec<Arc<str>>,
    pub(crate) branches: Vec<Branch>,
}

/// What a branch asks, while it is being read. A thousand combinations share what they have in common.
type Asked = BTreeMap<Arc<str>, Arc<[Condition]>>;

impl Pattern {
    /// The longest text that any service takes.
    pub const TEXT_BYTES_MAX: usize = 16 * 1024;
    /// The most combinations that `$or` may make, as AWS has it.
    pub const BRANCHES_MAX: usize = 1_000;
    /// The most pairs of elements that are compared to find out whether an event's arrays fit one branch. An event that needs more
    /// does not match; a thousand elements that all fit each of two fields, and never agree, need a million.
    pub const STEPS_MAX: usize = 2_000_000;

    /// Reads a pattern.
    pub fn compile(text: &str) -> Result<Self, Malformed> {
        if text.len() > Self::TEXT_BYTES_MAX {
            return Err(Malformed::anywhere(Why::TooLong { max: Self::TEXT_BYTES_MAX }));
        }
        let mut compiler = Compiler { lexer: Lexer::new(text), branches: Vec::new(), path: String::new() };
        if compiler.lexer.token()? != Token::ObjectStart {
            return Err(compiler.lexer.fault(Why::NotAnObject));
        }
        compiler.object(&Names::Any)?;
        match compiler.lexer.token()? {
            Token::End => Ok(Self::of(compiler.branches)),
            _ => Err(compiler.lexer.fault(Why::NotAnObject)),
        }
    }

    /// Whether the event is wanted.
    pub fn matches(&self, event: &Value) -> bool {
        let number_of = |path: &str| {
            let at = self.paths.binary_search_by(|one| (**one).cmp(path)).ok()?;
            u32::try_from(at).ok()
        };
        let fields = Fields::of(event, &number_of);
        self.branches.iter().any(|branch| branch.matches(&fields, Self::STEPS_MAX))
    }

    fn of(asked: Vec<Asked>) -> Self {
        let mut paths: Vec<Arc<str>> = asked.iter().flat_map(|asked| asked.keys().cloned()).collect();
        paths.sort_unstable();
        paths.dedup();
        let field = |(path, conditions): (Arc<str>, Arc<[Condition]>)| {
            let at = paths.binary_search(&path).expect("every path was collected above");
            Field { path: u32::try_from(at).expect("a text of this length has few paths"), conditions }
        };
        let branches =
            asked.into_iter().map(|asked| Branch { fields: asked.into_iter().map(field).collect() }).collect();
        Self { paths, branches }
    }
}

/// Which names an object may have.
enum Names {
    Any,
    /// Inside `$or`, words of the language are no names, so that a forgotten bracket is told.
    NotReserved,
}

const RESERVED: [&str; 23] = [
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
];

struct Compiler<'a> {
    lexer: Lexer<'a>,
    /// What was read so far, in each combination of the `$or`s before.
    branches: Vec<Asked>,
    path: String,
}

impl Compiler<'_> {
    /// An object whose brace was read.
    fn object(&mut self, names: &Names) -> Result<(), Malformed> {
        let mut is_empty = true;
        loop {
            let name = match self.lexer.token()? {
                Token::ObjectEnd if is_empty => return Err(self.lexer.fault(Why::EmptyObject)),
                Token::ObjectEnd => return Ok(()),
                Token::Name(name) => name,
                _ => return Err(self.lexer.fault(Why::EmptyObject)),
            };
            is_empty = false;
            if name == "$or" {
                self.either()?;
                continue;
            }
            match names {
                Names::NotReserved if RESERVED.contains(&name.as_str()) || name == "ip-address-not-in-range" => {
                    return Err(self.lexer.fault(Why::OrReserved(name)));
                }
                Names::NotReserved | Names::Any => {}
            }
            self.member(&name, names)?;
        }
    }

    fn member(&mut self, name: &str, names: &Names) -> Result<(), Malformed> {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        match self.lexer.token()? {
            Token::ObjectStart => self.object(names)?,
            Token::ArrayStart => {
                let (path, conditions): (Arc<str>, Arc<[Condition]>) =
                    (self.path.as_str().into(), self.conditions()?.into());
                if self.branches.is_empty() {
                    self.branches.push(Asked::new());
                }
                for asked in &mut self.branches {
                    asked.insert(path.clone(), conditions.clone());
                }
            }
            _ => return Err(self.lexer.fault(Why::NeitherObjectNorArray(name.to_owned()))),
        }
        self.path.truncate(length);
        Ok(())
    }

    /// The array after `$or`: what was read so far, once with each of its objects.
    fn either(&mut self) -> Result<(), Malformed> {
        if self.lexer.token()? != Token::ArrayStart {
            return Err(self.lexer.fault(Why::OrNotAnArray));
        }
        let mut before = std::mem::take(&mut self.branches);
        if before.is_empty() {
            before.push(Asked::new());
        }
        let (mut all, mut count) = (Vec::new(), 0);
        loop {
            match self.lexer.token()? {
                Token::ArrayEnd => break,
                Token::ObjectStart => {}
                _ => return Err(self.lexer.fault(Why::OrMember)),
            }
            count += 1;
            self.branches.clone_from(&before);
            self.object(&Names::NotReserved)?;
            all.append(&mut self.branches);
            if all.len() > Pattern::BRANCHES_MAX {
                return Err(self.lexer.fault(Why::TooManyBranches { max: Pattern::BRANCHES_MAX }));
            }
        }
        if count < 2 {
            return Err(self.lexer.fault(Why::OrTooFew));
        }
        self.branches = all;
        Ok(())
    }

    /// The conditions of an array whose bracket was read.
    fn conditions(&mut self) -> Result<Vec<Condition>, Malformed> {
        let mut conditions = Vec::new();
        loop {
            conditions.push(match self.lexer.token()? {
                Token::ArrayEnd if conditions.is_empty() => return Err(self.lexer.fault(Why::EmptyArray)),
                Token::ArrayEnd => return Ok(conditions),
                Token::ObjectStart => matching::condition(&mut self.lexer)?,
                Token::Text(text) => match Address::parse(&text) {
                    Some(address) => Condition::Address(address),
                    None => Condition::Text(text.into()),
                },
                Token::Number(number) => Condition::Number(Comparable::of(&number)),
                Token::Boolean(boolean) => Condition::Boolean(boolean),
                Token::Null => Condition::Null,
                Token::ArrayStart | Token::ObjectEnd | Token::Name(_) | Token::End => {
                    return Err(self.lexer.fault(Why::NotAValue));
                }
            });
        }
    }
}
