//! The attributes that a statement speaks of: what a policy may be asked about.

use std::collections::BTreeSet;

use super::{Change, Select, Statement, Term, Test};

impl Statement {
    /// The attributes that it reads, compares or writes. What it does not name, such as all of an item, is not among them.
    pub fn attributes(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        match self {
            Self::Select(Select { places, condition, order, .. })
            | Self::Exists(Select { places, condition, order, .. }) => {
                let ordered = order.iter().map(|term| &term.place);
                names.extend(places.iter().chain(ordered).map(|place| place.head.as_str()));
                condition.iter().for_each(|test| of_test(test, &mut names));
            }
            Self::Insert { item, .. } => names.extend(item.keys().map(String::as_str)),
            Self::Update { changes, condition, .. } => {
                changes.iter().for_each(|change| of_change(change, &mut names));
                of_test(condition, &mut names);
            }
            Self::Delete { condition, .. } => of_test(condition, &mut names),
        }
        names
    }
}

fn of_change<'a>(change: &'a Change, names: &mut BTreeSet<&'a str>) {
    let place = match change {
        Change::Set(place, term) => {
            of_term(term, names);
            place
        }
        Change::Remove(place) | Change::SetAdd(place, _) | Change::SetDelete(place, _) => place,
    };
    names.insert(&place.head);
}

fn of_test<'a>(test: &'a Test, names: &mut BTreeSet<&'a str>) {
    match test {
        Test::And(tests) | Test::Or(tests) => tests.iter().for_each(|test| of_test(test, names)),
        Test::Not(test) => of_test(test, names),
        Test::Compare(_, left, right) => [left, right].into_iter().for_each(|term| of_term(term, names)),
        Test::Between(of, low, high) => [of, low, high].into_iter().for_each(|term| of_term(term, names)),
        Test::In(of, list) => {
            of_term(of, names);
            list.iter().for_each(|term| of_term(term, names));
        }
        Test::Call(_, operands) => operands.iter().for_each(|term| of_term(term, names)),
        Test::Missing(term) => of_term(term, names),
    }
}

fn of_term<'a>(term: &'a Term, names: &mut BTreeSet<&'a str>) {
    match term {
        Term::Place(place) => {
            names.insert(&place.head);
        }
        Term::Value(_) => {}
        Term::Call(_, operands) => operands.iter().for_each(|term| of_term(term, names)),
        Term::Sum(left, _, right) => [left, right].into_iter().for_each(|term| of_term(term, names)),
    }
}
