//! Lists in pieces: `Marker` and `MaxItems`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contract::Fault;

use crate::faults;

/// The most items of one page, however many were asked for.
pub const ITEMS_MAX: usize = 50;

/// Where a page begins, and how many items it may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The last item of the page before; items come in the order of these texts.
    pub after: Option<String>,
    /// At most [`ITEMS_MAX`].
    pub items: usize,
}

impl Request {
    /// Reads what the caller sent. A marker is the name of the last item before, so it stays right while items come and go.
    pub fn read(marker: Option<&str>, items: Option<i32>) -> Result<Self, Fault> {
        let after = match marker {
            None | Some("") => None,
            Some(marker) => Some(decode(marker).ok_or_else(|| faults::invalid("Invalid marker value."))?),
        };
        let items = items.and_then(|items| usize::try_from(items).ok()).unwrap_or(ITEMS_MAX);
        Ok(Self { after, items: items.clamp(1, ITEMS_MAX) })
    }

    /// Takes a page out of all items, which are sorted by `name`: the items and the marker of the next page.
    pub fn take<T>(&self, all: impl IntoIterator<Item = T>, name: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
        let mut rest =
            all.into_iter().skip_while(|item| self.after.as_ref().is_some_and(|after| name(item) <= *after)).peekable();
        let page: Vec<T> = rest.by_ref().take(self.items).collect();
        let next = rest.peek().and(page.last()).map(|last| marker(&name(last)));
        (page, next)
    }
}

/// The marker of the page after this item.
pub fn marker(last: &str) -> String {
    URL_SAFE_NO_PAD.encode(last)
}

fn decode(marker: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(marker).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_cover_everything_once() {
        let all: Vec<String> = (0..120).map(|n| format!("f{n:03}")).collect();
        for items in [None, Some(1), Some(7), Some(10_000)] {
            let (mut seen, mut next) = (Vec::new(), None);
            loop {
                let request = Request::read(next.as_deref(), items).expect("it is our own marker");
                let (page, marker) = request.take(all.iter().cloned(), Clone::clone);
                assert!(page.len() <= ITEMS_MAX);
                seen.extend(page);
                match marker {
                    Some(marker) => next = Some(marker),
                    None => break,
                }
            }
            assert_eq!(seen, all);
        }
        assert!(Request::read(Some("!"), None).is_err());
    }
}
