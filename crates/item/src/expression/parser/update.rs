//! The sections of an update, with the actions in them.

use super::Parser;
use crate::expression::fault::Why;
use crate::expression::lexer::Kind;
use crate::expression::syntax::{Action, Change, Operand, Sign, Sum};

impl Parser<'_> {
    pub(super) fn sections(&mut self) -> Result<Vec<Action>, Why> {
        let mut actions = Vec::new();
        let mut seen: Vec<(Kind, usize)> = Vec::new();
        loop {
            let (kind, start) = (self.kind(), self.at);
            if !matches!(kind, Kind::Set | Kind::Remove | Kind::Add | Kind::Delete) {
                return Err(self.stumble());
            }
            self.at += 1;
            // What is wrong in a section's second piece counts as if it stood behind its first.
            let known = seen.iter().find(|(known, _)| *known == kind).map(|(_, start)| *start);
            self.section = known.unwrap_or(start);
            let piece = self.list(|parser| parser.action(kind))?;
            if let (Some(first), Some(action)) = (known, piece.first()) {
                self.problems.push(((first, usize::MAX), Why::SectionTwice(action.change.section())));
            }
            seen.push((kind, start));
            actions.extend(piece);
            if self.kind() == Kind::End {
                return Ok(actions);
            }
        }
    }

    fn action(&mut self, section: Kind) -> Result<Action, Why> {
        let path = self.path()?;
        let change = match section {
            Kind::Set => {
                self.take(Kind::Equal)?;
                Change::Set(self.set_value()?)
            }
            Kind::Add => Change::Add(self.value()?),
            Kind::Delete => Change::Delete(self.value()?),
            _ => Change::Remove,
        };
        Ok(Action { path, change })
    }

    /// What is set: an operand, a sum of two, or a sum in parentheses.
    fn set_value(&mut self) -> Result<Operand, Why> {
        let left = match self.kind() {
            Kind::Open => match self.group(Self::sum)? {
                sum @ Operand::Sum(_) => return Ok(sum),
                operand => operand,
            },
            _ => self.operand()?,
        };
        self.sum_with(left)
    }

    fn sum(&mut self) -> Result<Operand, Why> {
        let left = self.operand()?;
        self.sum_with(left)
    }

    fn sum_with(&mut self, left: Operand) -> Result<Operand, Why> {
        let sign = match self.kind() {
            Kind::Plus => Sign::Plus,
            Kind::Minus => Sign::Minus,
            _ => return Ok(left),
        };
        self.operators += 1;
        self.at += 1;
        let right = self.operand()?;
        Ok(Operand::Sum(Box::new(Sum { sign, left, right })))
    }
}
