//! Tokens into statements.

mod values;

use super::lexer::{Token, tokens};
use super::{Change, Order, Place, Returning, Select, Statement, Step, Term, Test, Wrong};
use crate::Value;

/// The longest statement.
const TEXT_BYTES_MAX: usize = 8_192;

/// How deep conditions, functions and values may be nested.
const DEPTH_MAX: usize = 64;

/// What DynamoDB says of something left over.
const LEFTOVER: Wrong = Wrong::Malformed("Unexpected token after expression");

/// Reads a statement, with its parameters in their order.
pub fn read(text: &str, parameters: &[Value]) -> Result<Statement, Wrong> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Wrong::Malformed("the statement is longer than 8192 bytes"));
    }
    let mut parser = Parser { tokens: tokens(text)?, at: 0, parameters, used: 0, depth: 0 };
    let statement = parser.statement()?;
    if parser.peek() != &Token::End {
        return Err(LEFTOVER);
    }
    if parser.used != parameters.len() {
        return Err(Wrong::Parameters);
    }
    Ok(statement)
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    parameters: &'a [Value],
    used: usize,
    depth: usize,
}

impl Parser<'_> {
    fn statement(&mut self) -> Result<Statement, Wrong> {
        if self.word("SELECT") {
            return self.select().map(Statement::Select);
        }
        if self.word("EXISTS") {
            self.need("(")?;
            self.need_word("SELECT")?;
            let select = self.select()?;
            self.need(")")?;
            return Ok(Statement::Exists(select));
        }
        if self.word("INSERT") {
            self.need_word("INTO")?;
            let table = self.written()?;
            if !self.word("VALUE") {
                return Err(LEFTOVER);
            }
            return match self.value("")? {
                Some(Value::M(item)) => Ok(Statement::Insert { table, item }),
                _ => Err(Wrong::Malformed("Expected a tuple after VALUE")),
            };
        }
        if self.word("UPDATE") {
            let table = self.table()?;
            let changes = self.changes()?;
            let (condition, returning) = self.which()?;
            return Ok(Statement::Update { table, changes, condition, returning });
        }
        if self.word("DELETE") {
            self.need_word("FROM")?;
            let table = self.table()?;
            let (condition, returning) = self.which()?;
            let wrong = match returning {
                None | Some(Returning::AllOld) => None,
                Some(Returning::AllNew) => Some("ALL NEW"),
                Some(Returning::ModifiedOld) => Some("MODIFIED OLD"),
                Some(Returning::ModifiedNew) => Some("MODIFIED NEW"),
            };
            return match wrong {
                Some(words) => Err(Wrong::Returning(words)),
                None => Ok(Statement::Delete { table, condition, returning }),
            };
        }
        Err(Wrong::Malformed("Expected data manipulation"))
    }

    fn select(&mut self) -> Result<Select, Wrong> {
        let mut places = Vec::new();
        if !self.mark("*") {
            places.push(self.place()?);
            while self.mark(",") {
                places.push(self.place()?);
            }
        }
        self.need_word("FROM")?;
        let (table, index) = self.source()?;
        self.refuse_alias(&["WHERE", "ORDER", "GROUP", "HAVING", "LIMIT"])?;
        let condition = if self.word("WHERE") { Some(self.test()?) } else { None };
        let order = if self.word("ORDER") { self.order()? } else { Vec::new() };
        // Other databases have these, and people write them.
        for (word, clause) in [("GROUP", "GROUP BY"), ("HAVING", "HAVING"), ("LIMIT", "LIMIT")] {
            if self.word(word) {
                return Err(Wrong::Clause(clause));
            }
        }
        Ok(Select { table, index, places, condition, order })
    }

    fn order(&mut self) -> Result<Vec<Order>, Wrong> {
        self.need_word("BY")?;
        let mut order = Vec::new();
        loop {
            let place = self.place()?;
            let descending = self.word("DESC");
            if !descending {
                self.word("ASC");
            }
            order.push(Order { place, descending });
            if !self.mark(",") {
                return Ok(order);
            }
        }
    }

    /// A table, and an index of it.
    fn source(&mut self) -> Result<(String, Option<String>), Wrong> {
        let table = self.name()?;
        let index = if self.mark(".") { Some(self.name()?) } else { None };
        if self.mark(".") {
            return Err(Wrong::LongSource);
        }
        if table.is_empty() || index.as_ref().is_some_and(String::is_empty) {
            return Err(Wrong::EmptyName);
        }
        Ok((table, index))
    }

    /// A table that is written to, which no index is.
    fn written(&mut self) -> Result<String, Wrong> {
        match self.source()? {
            (table, None) => Ok(table),
            (_, Some(_)) => Err(Wrong::OnIndex),
        }
    }

    fn table(&mut self) -> Result<String, Wrong> {
        let table = self.written()?;
        self.refuse_alias(&["SET", "REMOVE", "WHERE"])?;
        Ok(table)
    }

    fn refuse_alias(&self, follow: &[&str]) -> Result<(), Wrong> {
        match self.peek() {
            Token::Word(word) if !follow.iter().any(|keyword| word.eq_ignore_ascii_case(keyword)) => Err(Wrong::Alias),
            Token::Quoted(_) => Err(Wrong::Alias),
            _ => Ok(()),
        }
    }

    fn changes(&mut self) -> Result<Vec<Change>, Wrong> {
        let mut changes = Vec::new();
        loop {
            if self.word("SET") {
                changes.push(self.set()?);
                while self.mark(",") {
                    changes.push(self.set()?);
                }
            } else if self.word("REMOVE") {
                changes.push(Change::Remove(self.place()?));
                while self.mark(",") {
                    changes.push(Change::Remove(self.place()?));
                }
            } else if changes.is_empty() {
                return Err(Wrong::Malformed("Expected SET or REMOVE"));
            } else {
                return Ok(changes);
            }
        }
    }

    fn set(&mut self) -> Result<Change, Wrong> {
        let place = self.place()?;
        self.need("=")?;
        let left = self.term()?;
        let sign = match self.peek() {
            Token::Mark(sign @ ("+" | "-")) => *sign,
            _ => {
                return Ok(match left {
                    Term::Call(name, operands) => set_change(place, name, operands),
                    term => Change::Set(place, term),
                });
            }
        };
        self.at += 1;
        let right = self.term()?;
        Ok(Change::Set(place, Term::Sum(Box::new(left), sign, Box::new(right))))
    }

    /// Which item a write means, and what it answers.
    fn which(&mut self) -> Result<(Test, Option<Returning>), Wrong> {
        if !self.word("WHERE") {
            return Err(match self.peek() {
                Token::End => Wrong::NoKey,
                _ => LEFTOVER,
            });
        }
        let condition = self.test()?;
        if !self.word("RETURNING") {
            return Ok((condition, None));
        }
        let all = self.word("ALL");
        if !all {
            self.need_word("MODIFIED")?;
        }
        let old = self.word("OLD");
        if !old {
            self.need_word("NEW")?;
        }
        self.need("*")?;
        let returning = match (all, old) {
            (true, true) => Returning::AllOld,
            (true, false) => Returning::AllNew,
            (false, true) => Returning::ModifiedOld,
            (false, false) => Returning::ModifiedNew,
        };
        Ok((condition, Some(returning)))
    }

    // Conditions.

    fn test(&mut self) -> Result<Test, Wrong> {
        self.deeper(|parser| {
            let mut tests = vec![parser.all_of()?];
            while parser.word("OR") {
                tests.push(parser.all_of()?);
            }
            Ok(if tests.len() == 1 { tests.swap_remove(0) } else { Test::Or(tests) })
        })
    }

    fn all_of(&mut self) -> Result<Test, Wrong> {
        let mut tests = vec![self.negation()?];
        while self.word("AND") {
            tests.push(self.negation()?);
        }
        Ok(if tests.len() == 1 { tests.swap_remove(0) } else { Test::And(tests) })
    }

    fn negation(&mut self) -> Result<Test, Wrong> {
        if self.word("NOT") {
            return self.deeper(|parser| Ok(Test::Not(Box::new(parser.negation()?))));
        }
        // Parentheses hold a condition, or else an operand of one.
        let start = (self.at, self.used);
        if self.mark("(") {
            if let Ok(test) = self.test()
                && self.mark(")")
            {
                return Ok(test);
            }
            (self.at, self.used) = start;
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Test, Wrong> {
        let left = self.term()?;
        let comparator = match self.peek() {
            Token::Mark(mark @ ("=" | "<>" | "<" | "<=" | ">" | ">=")) => Some(*mark),
            Token::Mark("!=") => Some("<>"),
            _ => None,
        };
        if let Some(comparator) = comparator {
            self.at += 1;
            return Ok(Test::Compare(comparator, left, self.term()?));
        }
        let negated = self.word("NOT");
        let not = |test: Test| if negated { Test::Not(Box::new(test)) } else { test };
        if self.word("BETWEEN") {
            let low = self.term()?;
            self.need_word("AND")?;
            return Ok(not(Test::Between(left, low, self.term()?)));
        }
        if self.word("IN") {
            let close = if self.mark("[") { "]" } else { ")" };
            if close == ")" {
                self.need("(")?;
            }
            let mut list = vec![self.term()?];
            while self.mark(",") {
                list.push(self.term()?);
            }
            self.need(close)?;
            return Ok(not(Test::In(left, list)));
        }
        if !negated && self.word("IS") {
            let negated = self.word("NOT");
            let test = if self.word("MISSING") {
                Test::Missing(left)
            } else {
                self.need_word("NULL")?;
                Test::Compare("=", left, Term::Value(Value::Null))
            };
            return Ok(if negated { Test::Not(Box::new(test)) } else { test });
        }
        match left {
            Term::Call(name, operands) if !negated => Ok(Test::Call(name, operands)),
            _ => Err(LEFTOVER),
        }
    }

    // Terms and values.

    fn term(&mut self) -> Result<Term, Wrong> {
        self.deeper(|parser| {
            if let Some(value) = parser.value("")? {
                return Ok(Term::Value(value));
            }
            if parser.mark("(") {
                let term = parser.term()?;
                parser.need(")")?;
                return Ok(term);
            }
            if let (Token::Word(name), Some(Token::Mark("("))) =
                (parser.peek().clone(), parser.tokens.get(parser.at + 1))
            {
                parser.at += 2;
                let mut operands = vec![parser.term()?];
                while parser.mark(",") {
                    operands.push(parser.term()?);
                }
                parser.need(")")?;
                return Ok(Term::Call(name.to_ascii_lowercase(), operands));
            }
            parser.place().map(Term::Place)
        })
    }

    fn place(&mut self) -> Result<Place, Wrong> {
        let head = self.name()?;
        let mut steps = Vec::new();
        loop {
            if self.mark(".") {
                steps.push(Step::Name(self.name()?));
            } else if self.mark("[") {
                match self.peek().clone() {
                    Token::Number(index) => {
                        let index = index.parse().map_err(|_| Wrong::Malformed("Expected an index"))?;
                        steps.push(Step::Index(index));
                    }
                    Token::Text(name) => steps.push(Step::Name(name)),
                    _ => return Err(Wrong::Malformed("Expected an index")),
                }
                self.at += 1;
                self.need("]")?;
            } else {
                return Ok(Place { head, steps });
            }
        }
    }

    fn name(&mut self) -> Result<String, Wrong> {
        let (Token::Word(name) | Token::Quoted(name)) = self.peek().clone() else {
            return Err(Wrong::Malformed("Expected identifier"));
        };
        self.at += 1;
        Ok(name)
    }

    // Tokens.

    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    fn mark(&mut self, mark: &str) -> bool {
        let there = matches!(self.peek(), Token::Mark(found) if *found == mark);
        self.at += usize::from(there);
        there
    }

    fn word(&mut self, keyword: &str) -> bool {
        let there = matches!(self.peek(), Token::Word(word) if word.eq_ignore_ascii_case(keyword));
        self.at += usize::from(there);
        there
    }

    fn need(&mut self, mark: &'static str) -> Result<(), Wrong> {
        if self.mark(mark) { Ok(()) } else { Err(Wrong::Malformed("Unexpected token")) }
    }

    fn need_word(&mut self, keyword: &'static str) -> Result<(), Wrong> {
        if self.word(keyword) { Ok(()) } else { Err(Wrong::Malformed("Unexpected keyword")) }
    }

    fn deeper<T>(&mut self, inside: impl FnOnce(&mut Self) -> Result<T, Wrong>) -> Result<T, Wrong> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Wrong::TooDeep(DEPTH_MAX));
        }
        let inner = inside(self);
        self.depth -= 1;
        inner
    }
}

/// `SET a = set_add(a, …)` adds to the set, and all other functions set what they give.
fn set_change(place: Place, name: String, mut operands: Vec<Term>) -> Change {
    let same = matches!(operands.first(), Some(Term::Place(first)) if *first == place);
    match (name.as_str(), operands.len(), same) {
        ("set_add" | "set_delete", 2, true) if matches!(operands[1], Term::Value(_)) => match operands.pop() {
            Some(Term::Value(value)) if name == "set_add" => Change::SetAdd(place, value),
            Some(Term::Value(value)) => Change::SetDelete(place, value),
            Some(term) => Change::Set(place, term),
            None => Change::Remove(place),
        },
        _ => Change::Set(place, Term::Call(name, operands)),
    }
}
