//! Tokens into trees: the grammars of conditions, updates and projections.
//!
//! A text that is no expression is refused at the token where it stops being one. What is wrong with one that is (a reserved word, a
//! function in the wrong place) is noted on the way, and the first of it in the text is the fault.

mod update;

use super::fault::{Clause, Invalid, Why};
use super::lexer::{Kind, Token, tokens};
use super::syntax::{Action, Call, Comparator, Function, Name, Node, Operand, Path, Place, Step, Words};
use super::{OPERATORS_MAX, TEXT_BYTES_MAX, reserved};

/// How deep functions and parentheses round operands may be nested: far deeper than makes sense.
const DEPTH_MAX: usize = 32;

/// Reads a condition.
pub(super) fn condition(clause: Clause, text: &str) -> Result<(Words, Node), Invalid> {
    Parser::read(clause, text, Parser::condition)
}

/// Reads an update: its actions in the order of the text.
pub(super) fn update(text: &str) -> Result<(Words, Vec<Action>), Invalid> {
    Parser::read(Clause::Update, text, Parser::sections)
}

/// Reads a projection.
pub(super) fn projection(text: &str) -> Result<(Words, Vec<Path>), Invalid> {
    Parser::read(Clause::Projection, text, |parser| parser.list(Parser::path))
}

/// What stands between parentheses, or would: a condition, or an operand of one.
enum Part {
    Condition(Node),
    Operand(Operand),
}

/// One pair of parentheses that is open, or the whole text.
#[derive(Default)]
struct Level {
    open: Option<usize>,
    /// What OR joins.
    alternatives: Vec<Node>,
    /// What AND joins.
    together: Vec<Node>,
    /// NOTs before what comes next.
    nots: usize,
}

impl Level {
    /// Whether nothing was read in it.
    fn is_fresh(&self) -> bool {
        self.alternatives.is_empty() && self.together.is_empty() && self.nots == 0
    }

    fn push(&mut self, node: Node) {
        let nots = std::mem::take(&mut self.nots);
        self.together.push((0..nots).fold(node, |node, _| Node::Not(Box::new(node))));
    }

    fn next_alternative(&mut self) {
        let together = flat(std::mem::take(&mut self.together), Node::And, |node| match node {
            Node::And(nodes) => Ok(nodes),
            other => Err(other),
        });
        self.alternatives.push(together);
    }

    fn finish(&mut self) -> Node {
        self.next_alternative();
        flat(std::mem::take(&mut self.alternatives), Node::Or, |node| match node {
            Node::Or(nodes) => Ok(nodes),
            other => Err(other),
        })
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    clause: Clause,
    words: Words,
    operators: usize,
    depth: usize,
    /// The tokens of the last pair of parentheses that was read.
    last_pair: Option<(usize, usize)>,
    /// The section of an update that is read, by where it began first.
    section: usize,
    /// What is wrong, and where: the section and the token.
    problems: Vec<((usize, usize), Why)>,
}

impl<'a> Parser<'a> {
    fn read<T>(
        clause: Clause,
        text: &'a str,
        read: impl FnOnce(&mut Self) -> Result<T, Why>,
    ) -> Result<(Words, T), Invalid> {
        if text.is_empty() {
            return Err(Why::Empty.of(clause));
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(Why::TooLong(text.len()).of(clause));
        }
        let mut parser = Self {
            text,
            tokens: tokens(text),
            at: 0,
            clause,
            words: Words::default(),
            operators: 0,
            depth: 0,
            last_pair: None,
            section: 0,
            problems: Vec::new(),
        };
        let tree = read(&mut parser).and_then(|tree| parser.finish().map(|()| tree)).map_err(|why| why.of(clause))?;
        Ok((parser.words, tree))
    }

    /// Nothing may follow, and nothing may be wrong.
    fn finish(&mut self) -> Result<(), Why> {
        self.take(Kind::End)?;
        if self.operators > OPERATORS_MAX {
            return Err(Why::TooManyOperators(self.operators));
        }
        // Of several at one place the first that was noted; `min_by_key` gives that.
        let first = std::mem::take(&mut self.problems).into_iter().min_by_key(|(place, _)| *place);
        first.map_or(Ok(()), |(_, why)| Err(why))
    }

    // Conditions. Parentheses are kept on a stack of our own: texts may nest them deeper than a thread's stack would carry.

    fn condition(&mut self) -> Result<Node, Why> {
        let mut outer: Vec<Level> = Vec::new();
        let mut level = Level::default();
        loop {
            while self.operator(Kind::Not) {
                level.nots += 1;
            }
            if self.kind() == Kind::Open {
                outer.push(std::mem::replace(&mut level, Level { open: Some(self.at), ..Level::default() }));
                self.at += 1;
                continue;
            }
            let start = self.at;
            let left = self.operand_or_condition()?;
            let mut part = self.comparison(start, left)?;
            // Until an operator says that something follows.
            loop {
                if let Part::Condition(node) = part {
                    level.push(node);
                    if self.operator(Kind::And) {
                        break;
                    }
                    if self.operator(Kind::Or) {
                        level.next_alternative();
                        break;
                    }
                    part = Part::Condition(level.finish());
                } else if !level.is_fresh() {
                    // An operand, where a condition must be.
                    part = Part::Condition(self.node(part)?);
                    continue;
                }
                let (Some(open), Some(parent)) = (level.open, outer.pop()) else { return self.node(part) };
                self.close(open)?;
                level = parent;
                if let Part::Operand(operand) = part {
                    part = self.comparison(open, operand)?;
                }
            }
        }
    }

    /// What follows an operand that begins at that token: a comparison with others, or nothing.
    fn comparison(&mut self, start: usize, left: Operand) -> Result<Part, Why> {
        let kind = self.kind();
        if let Some(comparator) = comparator(kind) {
            self.operator(kind);
            self.expect_operand(start, &left);
            let right = self.operand()?;
            return Ok(Part::Condition(Node::Compare(comparator, left, right)));
        }
        match (kind, left) {
            (Kind::Between, left) => {
                self.operator(kind);
                self.expect_operand(start, &left);
                let low = self.operand()?;
                self.take(Kind::And)?;
                let high = self.operand()?;
                Ok(Part::Condition(Node::Between(left, low, high)))
            }
            (Kind::In, left) => {
                self.operator(kind);
                self.expect_operand(start, &left);
                self.take(Kind::Open)?;
                let list = self.list(Self::operand)?;
                self.take(Kind::Close)?;
                Ok(Part::Condition(Node::In(left, list)))
            }
            (_, Operand::Call(call)) if call.function.place() == Place::Condition => {
                Ok(Part::Condition(Node::Call(call)))
            }
            // Perhaps an operand in parentheses; what follows them tells.
            (Kind::Close, left) => Ok(Part::Operand(left)),
            (_, Operand::Call(call)) => {
                self.problem(start, Why::Misused(call.function.as_str()));
                Ok(Part::Condition(Node::Call(call)))
            }
            (_, Operand::Path(_) | Operand::Value(_) | Operand::Sum(_)) => Err(self.stumble()),
        }
    }

    /// A part that must be a condition.
    fn node(&mut self, part: Part) -> Result<Node, Why> {
        match part {
            Part::Condition(node) => Ok(node),
            Part::Operand(Operand::Call(call)) => {
                self.problem(self.at, Why::Misused(call.function.as_str()));
                Ok(Node::Call(call))
            }
            Part::Operand(Operand::Path(_) | Operand::Value(_) | Operand::Sum(_)) => Err(self.stumble()),
        }
    }

    /// Notes a condition that stands where an operand belongs.
    fn expect_operand(&mut self, place: usize, operand: &Operand) {
        if let Operand::Call(call) = operand
            && call.function.place() == Place::Condition
        {
            self.problem(place, Why::Misused(call.function.as_str()));
        }
    }

    // Operands.

    fn operand(&mut self) -> Result<Operand, Why> {
        let start = self.at;
        let operand = match self.kind() {
            Kind::Open => return self.group(Self::operand),
            _ => self.operand_or_condition()?,
        };
        self.expect_operand(start, &operand);
        Ok(operand)
    }

    fn operand_or_condition(&mut self) -> Result<Operand, Why> {
        match self.kind() {
            Kind::ValuePlaceholder => self.value().map(Operand::Value),
            Kind::Name if self.tokens[self.at + 1].kind == Kind::Open => self.deeper(Self::call).map(Operand::Call),
            Kind::Name | Kind::NamePlaceholder => self.path().map(Operand::Path),
            _ => Err(self.stumble()),
        }
    }

    fn call(&mut self) -> Result<Call, Why> {
        let start = self.at;
        let name = self.word();
        self.at += 1;
        self.operators += 1;
        let function = Function::from_name(name);
        match function {
            None => self.problem(start, Why::NoFunction(name.to_owned())),
            Some(function) => match (self.clause, function.place()) {
                (Clause::Update, Place::Condition | Place::Operand) => {
                    self.problem(start, Why::NotInUpdate(function.as_str()));
                }
                (Clause::Condition | Clause::Filter | Clause::KeyCondition, Place::Update) => {
                    self.problem(start, Why::NotInCondition(function.as_str()));
                }
                (Clause::Update, Place::Update) | (_, Place::Condition | Place::Operand) => {}
                // Projections have no calls.
                (Clause::Projection, Place::Update) => {}
            },
        }
        self.take(Kind::Open)?;
        let operands = self.list(Self::operand)?;
        self.take(Kind::Close)?;
        // One that does not exist was noted, so that nobody will ever ask what stands in for it.
        let function = function.unwrap_or(Function::Size);
        // Those of updates are counted when values are there.
        if self.clause != Clause::Update && function.operands() != operands.len() {
            self.problem(start, Why::Operands { function: function.as_str(), operands: operands.len() });
        }
        Ok(Call { function, operands })
    }

    fn value(&mut self) -> Result<usize, Why> {
        let text = self.take(Kind::ValuePlaceholder)?;
        Ok(place_of(&mut self.words.values, |value| &**value == text, || text.into()))
    }

    fn path(&mut self) -> Result<Path, Why> {
        let head = self.name()?;
        let mut steps = Vec::new();
        loop {
            match self.kind() {
                Kind::Dot => {
                    self.at += 1;
                    steps.push(Step::Name(self.name()?));
                }
                Kind::OpenIndex => {
                    self.at += 1;
                    steps.push(Step::Index(self.index()?));
                    self.take(Kind::CloseIndex)?;
                }
                _ => return Ok(Path { head, steps }),
            }
        }
    }

    fn name(&mut self) -> Result<usize, Why> {
        let text = self.word();
        let name = match self.kind() {
            Kind::Name => Name::Literal(text.into()),
            Kind::NamePlaceholder => Name::Placeholder(text.into()),
            _ => return Err(self.stumble()),
        };
        if matches!(name, Name::Literal(_)) && reserved::is_reserved(text) {
            self.problem(self.at, Why::Reserved(text.to_owned()));
        }
        self.at += 1;
        Ok(place_of(&mut self.words.names, |known| *known == name, || name.clone()))
    }

    fn index(&mut self) -> Result<u32, Why> {
        let start = self.at;
        let text = self.take(Kind::Index)?;
        let index = text.parse().ok().filter(|index| *index <= i32::MAX as u32);
        if index.is_none() {
            self.problem(start, Why::IndexRange(text.to_owned()));
        }
        Ok(index.unwrap_or_default())
    }

    // What all of them share.

    /// Something in parentheses, which must not be all that stands in others.
    fn group<T>(&mut self, inside: impl FnOnce(&mut Self) -> Result<T, Why>) -> Result<T, Why> {
        let open = self.at;
        self.at += 1;
        let inner = self.deeper(inside)?;
        self.close(open)?;
        Ok(inner)
    }

    /// Closes what was opened at that token.
    fn close(&mut self, open: usize) -> Result<(), Why> {
        let close = self.at;
        self.take(Kind::Close)?;
        if self.last_pair == Some((open + 1, close - 1)) {
            return Err(Why::Parentheses);
        }
        self.last_pair = Some((open, close));
        Ok(())
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T, Why>) -> Result<Vec<T>, Why> {
        let mut items = vec![item(self)?];
        while self.kind() == Kind::Comma {
            self.at += 1;
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn deeper<T>(&mut self, inside: impl FnOnce(&mut Self) -> Result<T, Why>) -> Result<T, Why> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Why::TooDeep(DEPTH_MAX));
        }
        let inner = inside(self);
        self.depth -= 1;
        inner
    }

    fn kind(&self) -> Kind {
        self.tokens[self.at].kind
    }

    fn word(&self) -> &'a str {
        let token = self.tokens[self.at];
        &self.text[token.start..token.end]
    }

    /// Takes an operator if it is the next token.
    fn operator(&mut self, kind: Kind) -> bool {
        let there = self.kind() == kind;
        if there {
            self.at += 1;
            self.operators += 1;
        }
        there
    }

    /// Takes the token that must come next.
    fn take(&mut self, kind: Kind) -> Result<&'a str, Why> {
        if self.kind() != kind {
            return Err(self.stumble());
        }
        let word = self.word();
        // The end is never left.
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        Ok(word)
    }

    fn problem(&mut self, at: usize, why: Why) {
        self.problems.push(((self.section, at), why));
    }

    /// The fault of a token that does not belong where it stands.
    fn stumble(&self) -> Why {
        let token = self.tokens[self.at];
        let before = self.at.checked_sub(1).map_or(token, |at| self.tokens[at]);
        let behind = self.tokens.get(self.at + 1).copied().unwrap_or(token);
        let word = if token.kind == Kind::End { "<EOF>" } else { self.word() };
        Why::Syntax { token: word.to_owned(), near: self.text[before.start..behind.end].trim_end().to_owned() }
    }
}

fn comparator(kind: Kind) -> Option<Comparator> {
    Some(match kind {
        Kind::Equal => Comparator::Equal,
        Kind::Unequal => Comparator::Unequal,
        Kind::Less => Comparator::Less,
        Kind::LessOrEqual => Comparator::LessOrEqual,
        Kind::Greater => Comparator::Greater,
        Kind::GreaterOrEqual => Comparator::GreaterOrEqual,
        _ => return None,
    })
}

/// One node of several, those of the same kind taken apart first, for they say the same without their parentheses.
fn flat(nodes: Vec<Node>, join: fn(Vec<Node>) -> Node, open: fn(Node) -> Result<Vec<Node>, Node>) -> Node {
    let mut all = Vec::with_capacity(nodes.len());
    let single = nodes.len() == 1;
    for node in nodes {
        match if single { Err(node) } else { open(node) } {
            Ok(inner) => all.extend(inner),
            Err(node) => all.push(node),
        }
    }
    if single { all.swap_remove(0) } else { join(all) }
}

/// Where something stands in a table, which gets it if it is not there.
fn place_of<T>(table: &mut Vec<T>, is_it: impl Fn(&T) -> bool, it: impl FnOnce() -> T) -> usize {
    table.iter().position(is_it).unwrap_or_else(|| {
        table.push(it());
        table.len() - 1
    })
}
