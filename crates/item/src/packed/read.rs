//! Reading: nothing is copied until somebody asks for a [`Value`].
//!
//! Bytes that were not written here are found out where they are read, never by a panic: [`Damaged`].

use bytes::Bytes;

use super::{VERSION, kind};
use crate::{Item, Kind, Set, Value, key};

/// Bytes that are no packed item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damaged {
    /// Written by a newer binary.
    #[error("the packed item has version {found}, and this binary knows {VERSION} and older ones")]
    Newer {
        /// The version.
        found: u8,
    },
    /// They end too early.
    #[error("the packed item ends too early")]
    Cut,
    /// Something else than what belongs there.
    #[error("the packed item holds other bytes where {0} belongs")]
    Wrong(&'static str),
}

/// A packed item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed<'a> {
    map: &'a [u8],
}

impl<'a> Packed<'a> {
    /// What [`super::pack`] wrote.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Damaged> {
        match bytes.split_first() {
            Some((&VERSION, map)) => Ok(Self { map }),
            Some((&found, _)) if found > VERSION => Err(Damaged::Newer { found }),
            Some(_) => Err(Damaged::Wrong("a version")),
            None => Err(Damaged::Cut),
        }
    }

    /// The attribute of that name. Reads as far as that name, and steps over the values before it.
    pub fn get(&self, name: &str) -> Result<Option<View<'a>>, Damaged> {
        find(self.map, name.as_bytes())
    }

    /// All attributes, in the order of their names.
    pub fn entries(&self) -> Result<Entries<'a>, Damaged> {
        Entries::new(self.map)
    }

    /// The item.
    pub fn unpack(&self) -> Result<Item, Damaged> {
        unpack_map(self.map, Value::DEPTH_MAX)
    }
}

/// A packed value. Two are equal if and only if their values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View<'a> {
    kind: Kind,
    payload: &'a [u8],
}

impl<'a> View<'a> {
    /// The value at the start of what [`super::pack_value`] wrote, and what follows it.
    pub fn read(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Damaged> {
        let (tag, rest) = bytes.split_first().ok_or(Damaged::Cut)?;
        let kind = kind(*tag).ok_or(Damaged::Wrong("a type"))?;
        let (length, rest) = match kind {
            Kind::S | Kind::N | Kind::B => take_count(rest)?,
            Kind::Bool => (1, rest),
            Kind::Null => (0, rest),
            Kind::M | Kind::L | Kind::Ss | Kind::Ns | Kind::Bs => {
                let (length, rest) = rest.split_first_chunk().ok_or(Damaged::Cut)?;
                (u32::from_le_bytes(*length) as usize, rest)
            }
        };
        let (payload, rest) = rest.split_at_checked(length).ok_or(Damaged::Cut)?;
        Ok((Self { kind, payload }, rest))
    }

    /// For what was a view before.
    pub(crate) fn trusted(kind: Kind, payload: &'a [u8]) -> Self {
        Self { kind, payload }
    }

    /// The type.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What is compared: of a text or bytes the content, of a number its key. Of all others, bytes that are equal where the
    /// values are.
    pub fn bytes(&self) -> &'a [u8] {
        self.payload
    }

    /// How many members, items or entries it has; of texts and bytes, how many bytes. None for what has no size.
    pub fn count(&self) -> Result<Option<usize>, Damaged> {
        Ok(match self.kind {
            Kind::S | Kind::B => Some(self.payload.len()),
            Kind::M | Kind::L | Kind::Ss | Kind::Ns | Kind::Bs => Some(take_count(self.payload)?.0),
            Kind::N | Kind::Bool | Kind::Null => None,
        })
    }

    /// The entry of that name, if it is a map that has it.
    pub fn entry(&self, name: &str) -> Result<Option<View<'a>>, Damaged> {
        if self.kind == Kind::M { find(self.payload, name.as_bytes()) } else { Ok(None) }
    }

    /// The item at that place, if it is a list that has it.
    pub fn item(&self, index: usize) -> Result<Option<View<'a>>, Damaged> {
        self.items()?.nth(index).transpose()
    }

    /// The items of a list; nothing of anything else.
    pub fn items(&self) -> Result<Items<'a>, Damaged> {
        if self.kind != Kind::L {
            return Ok(Items { left: 0, rest: &[] });
        }
        let (left, rest) = take_count(self.payload)?;
        Ok(Items { left, rest })
    }

    /// The entries of a map; nothing of anything else.
    pub fn entries(&self) -> Result<Entries<'a>, Damaged> {
        if self.kind == Kind::M { Entries::new(self.payload) } else { Ok(Entries { left: 0, rest: &[] }) }
    }

    /// What the members of a set are compared by, in order; nothing of anything else.
    pub fn members(&self) -> Result<Members<'a>, Damaged> {
        match self.kind {
            Kind::Ss | Kind::Ns | Kind::Bs => {
                let (left, rest) = take_count(self.payload)?;
                Ok(Members { left, rest })
            }
            Kind::S | Kind::N | Kind::B | Kind::Bool | Kind::Null | Kind::M | Kind::L => {
                Ok(Members { left: 0, rest: &[] })
            }
        }
    }

    /// The value.
    pub fn unpack(&self) -> Result<Value, Damaged> {
        self.unpack_to(Value::DEPTH_MAX)
    }

    fn unpack_to(&self, levels: usize) -> Result<Value, Damaged> {
        let below = levels.checked_sub(1).ok_or(Damaged::Wrong("a value that nothing is nested in"))?;
        let wrong = Damaged::Wrong("a set");
        Ok(match self.kind {
            Kind::S => Value::S(text(self.payload)?),
            Kind::N => Value::N(number(self.payload)?),
            Kind::B => Value::B(Bytes::copy_from_slice(self.payload)),
            Kind::Bool => match self.payload {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                _ => return Err(Damaged::Wrong("a truth value")),
            },
            Kind::Null => Value::Null,
            Kind::M => Value::M(unpack_map(self.payload, below)?),
            Kind::L => Value::L(self.items()?.map(|item| item?.unpack_to(below)).collect::<Result<_, _>>()?),
            Kind::Ss => Value::Ss(Set::read(self.members()?, text)?.ok_or(wrong)?),
            Kind::Ns => Value::Ns(Set::read(self.members()?, number)?.ok_or(wrong)?),
            Kind::Bs => {
                Value::Bs(Set::read(self.members()?, |member| Ok(Bytes::copy_from_slice(member)))?.ok_or(wrong)?)
            }
        })
    }
}

impl<T: Ord> Set<T> {
    /// None if the members are not those of a set.
    fn read<'a>(members: Members<'a>, read: impl Fn(&'a [u8]) -> Result<T, Damaged>) -> Result<Option<Self>, Damaged> {
        let members: Vec<T> = members.map(|member| read(member?)).collect::<Result<_, _>>()?;
        let is_set = !members.is_empty() && members.windows(2).all(|pair| pair[0] < pair[1]);
        Ok(is_set.then(|| Self::trusted(members)))
    }
}

/// The attributes of an item or a map, see [`Packed::entries`].
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    left: usize,
    rest: &'a [u8],
}

impl<'a> Entries<'a> {
    fn new(map: &'a [u8]) -> Result<Self, Damaged> {
        let (left, rest) = take_count(map)?;
        Ok(Self { left, rest })
    }

    fn take(&mut self) -> Result<(&'a [u8], View<'a>), Damaged> {
        let (name, rest) = take_bytes(self.rest)?;
        let (value, rest) = View::read(rest)?;
        self.rest = rest;
        Ok((name, value))
    }
}

impl<'a> Iterator for Entries<'a> {
    /// The bytes of the name, which are UTF-8 unless they are damaged, and the value.
    type Item = Result<(&'a [u8], View<'a>), Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        step(&mut self.left)?;
        let entry = self.take();
        if entry.is_err() {
            self.left = 0;
        }
        Some(entry)
    }
}

/// The items of a list, see [`View::items`].
#[derive(Clone, Debug)]
pub struct Items<'a> {
    left: usize,
    rest: &'a [u8],
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<View<'a>, Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        step(&mut self.left)?;
        Some(match View::read(self.rest) {
            Ok((view, rest)) => {
                self.rest = rest;
                Ok(view)
            }
            Err(damaged) => {
                self.left = 0;
                Err(damaged)
            }
        })
    }
}

/// The members of a set, see [`View::members`].
#[derive(Clone, Debug)]
pub struct Members<'a> {
    left: usize,
    rest: &'a [u8],
}

impl<'a> Iterator for Members<'a> {
    type Item = Result<&'a [u8], Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        step(&mut self.left)?;
        Some(match take_bytes(self.rest) {
            Ok((member, rest)) => {
                self.rest = rest;
                Ok(member)
            }
            Err(damaged) => {
                self.left = 0;
                Err(damaged)
            }
        })
    }
}

fn step(left: &mut usize) -> Option<()> {
    *left = left.checked_sub(1)?;
    Some(())
}

fn find<'a>(map: &'a [u8], name: &[u8]) -> Result<Option<View<'a>>, Damaged> {
    for entry in Entries::new(map)? {
        let (found, value) = entry?;
        if found >= name {
            return Ok((found == name).then_some(value));
        }
    }
    Ok(None)
}

fn unpack_map(map: &[u8], levels: usize) -> Result<Item, Damaged> {
    Entries::new(map)?
        .map(|entry| {
            let (name, value) = entry?;
            Ok((text(name)?, value.unpack_to(levels)?))
        })
        .collect()
}

fn text(bytes: &[u8]) -> Result<String, Damaged> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Damaged::Wrong("text"))
}

fn number(bytes: &[u8]) -> Result<crate::Number, Damaged> {
    key::decode_number(bytes).ok_or(Damaged::Wrong("a number"))
}

fn take_bytes(bytes: &[u8]) -> Result<(&[u8], &[u8]), Damaged> {
    let (length, rest) = take_count(bytes)?;
    rest.split_at_checked(length).ok_or(Damaged::Cut)
}

fn take_count(bytes: &[u8]) -> Result<(usize, &[u8]), Damaged> {
    let mut count = 0;
    for (place, byte) in bytes.iter().enumerate().take(5) {
        count |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok((count, &bytes[place + 1..]));
        }
    }
    Err(if bytes.len() < 5 { Damaged::Cut } else { Damaged::Wrong("a count") })
}
