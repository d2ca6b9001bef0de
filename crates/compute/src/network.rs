//! What a function may reach: what its own variable says, else what the node was told.
//!
//! | `FREEHOLD_NETWORK` | what it reaches |
//! |---|---|
//! | `full` | the world and the platform, as on Lambda |
//! | `platform` | the platform's services, at `AWS_ENDPOINT_URL`, and nothing else |
//! | `none` | nobody |
//!
//! A word that means nothing reaches nobody: whoever misspells a wall wanted one.

use std::collections::BTreeMap;

use sandbox::{Host, Network, Part};

use crate::image::Settings;
use crate::options::Options;

/// The variable.
pub const NETWORK_VARIABLE: &str = "FREEHOLD_NETWORK";

/// A word that is none of the three.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{NETWORK_VARIABLE} is {word:?}, and can be full, platform or none")]
pub struct UnknownNetwork {
    word: String,
}

/// The most of a wrong word that is repeated.
const WORD_CHARS_MAX: usize = 40;

/// What a function's own variables ask for; none if they do not say.
pub fn network_of(environment: &BTreeMap<String, String>) -> Result<Option<Network>, UnknownNetwork> {
    let Some(word) = environment.get(NETWORK_VARIABLE) else { return Ok(None) };
    match word.trim() {
        "full" => Ok(Some(Network::Full)),
        "platform" => Ok(Some(Network::Platform)),
        "none" => Ok(Some(Network::None)),
        other => Err(UnknownNetwork { word: other.chars().take(WORD_CHARS_MAX).collect() }),
    }
}

/// Says why guests cannot be kept to that here. Whoever asks for a wall does not want to run without it.
pub(crate) fn check(host: &Host, network: Network) -> Result<(), String> {
    match network {
        Network::Full => Ok(()),
        Network::Platform | Network::None if host.isolates(network) => Ok(()),
        Network::Platform | Network::None => {
            let reason = host.report().reason(Part::Network).unwrap_or("functions share the machine's network");
            Err(format!("functions cannot be kept from the network on this machine: {reason}"))
        }
    }
}

/// What a function gets.
pub(crate) fn granted(settings: &Settings, options: &Options) -> Network {
    match network_of(&settings.environment) {
        Ok(asked) => asked.unwrap_or(options.network),
        Err(_) => Network::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_says_what_it_reaches() {
        let unknown = |word: &str| Err(UnknownNetwork { word: word.to_owned() });
        for (word, expected) in [
            (None, Ok(None)),
            (Some("full"), Ok(Some(Network::Full))),
            (Some("platform"), Ok(Some(Network::Platform))),
            (Some(" none\n"), Ok(Some(Network::None))),
            (Some("None"), unknown("None")),
            (Some(""), unknown("")),
            (
                Some("nobody at all, and that for more than forty characters"),
                unknown("nobody at all, and that for more than fo"),
            ),
        ] {
            let environment = word.map(|word| (NETWORK_VARIABLE.to_owned(), word.to_owned())).into_iter().collect();
            assert_eq!(network_of(&environment), expected, "{word:?}");
        }
    }
}
