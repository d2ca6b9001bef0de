//! Random values of the generated shapes: what is written is what is read, in every protocol and both directions. And random
//! damage: good messages with bytes changed, which no decoder may panic on.
//!
//! `FREEHOLD_FUZZ_ROUNDS` makes both longer. A failure prints the seed that brings it back.

use std::collections::BTreeMap;

use base::Random;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use wire::schema::{Kind, Place};
use wire::{Datum, Dynamic, Member, Protocol, Request, Route, Schema, client, fuzzing, server};

const PROTOCOLS: &[Protocol] = &[
    Protocol::RestJson,
    Protocol::RestXml,
    Protocol::Json10,
    Protocol::Json11,
    Protocol::Query,
    Protocol::Ec2,
    Protocol::Cbor,
];

fn rounds(default: u64) -> u64 {
    std::env::var("FREEHOLD_FUZZ_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn a_server_reads_what_a_client_writes() {
    for_each_route(|route, seed| {
        let schema = route.operation.shapes.expect("served").input;
        let input = structure(schema, &Random::seeded(seed));
        let is_form = matches!(route.protocol, Protocol::Query | Protocol::Ec2);
        if is_form && schema.members().iter().any(|member| member.name == "Action") {
            // Its service does not speak query, and could not: a form has an `Action` of its own.
            return;
        }
        let written = client::write_input(route, &input);
        let request = Request {
            method: written.method(),
            path: written.uri().path(),
            query: written.uri().query().unwrap_or_default(),
            headers: written.headers(),
            body: written.body(),
        };
        let mut read = Dynamic::new(schema);
        let result = server::decode(&mut read, route, &request);
        result.unwrap_or_else(|why| panic!("{} {:?} seed {seed}: {why}", route.operation.id, route.protocol));
        assert_eq!(input, read, "{} {:?} seed {seed}", route.operation.id, route.protocol);
    });
}

#[test]
fn a_client_reads_what_a_server_writes() {
    for_each_route(|route, seed| {
        let schema = route.operation.shapes.expect("served").output;
        let output = structure(schema, &Random::seeded(seed));
        let written = server::write_output(route, &output, "an-id");
        if written.status() == 204 {
            // That means no body.
            return;
        }
        let mut read = Dynamic::new(schema);
        let result = client::read_output(&mut read, route, &written);
        result.unwrap_or_else(|why| panic!("{} {:?} seed {seed}: {why}", route.operation.id, route.protocol));
        assert_eq!(output, read, "{} {:?} seed {seed}", route.operation.id, route.protocol);
    });
}

#[test]
fn a_document_is_read_as_it_was_written() {
    for_each_route(|route, seed| {
        let schema = route.operation.shapes.expect("served").input;
        let input = structure(schema, &Random::seeded(seed));
        let mut read = Dynamic::new(schema);
        wire::document::read_into(&mut read, wire::document::write(&input)).expect("a document");
        assert_eq!(input, read, "{} seed {seed}", route.operation.id);
    });
}

#[test]
fn generated_structs_hold_what_their_tables_say() {
    for seed in 0..rounds(200) {
        let schema = <wire::lambda::CreateFunctionRequest as wire::StaticShape>::SCHEMA;
        let document = wire::document::write(&structure(schema, &Random::seeded(seed)));
        let (typed, _): (wire::lambda::CreateFunctionRequest, _) =
            wire::document::read(document.clone()).expect("a document");
        let again = wire::document::write(&typed);
        assert!(contains(&again, &document), "seed {seed}: {document} became {again}");
    }
}

/// Whether everything of `part` is in `whole`, which may have more: required members that were not drawn have a default.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(name, part)| whole.get(name).is_some_and(|whole| contains(whole, part)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| contains(whole, part))
        }
        (whole, part) => whole == part,
    }
}

fn for_each_route(check: impl Fn(Route, u64)) {
    for protocol in PROTOCOLS {
        // S3 has dates to the second in headers and structures that are the whole body, which not every protocol gives back as they
        // were; what it speaks is held against its own clients in conformance/test_objects.py.
        for route in fuzzing::routes(*protocol).into_iter().filter(|route| route.service.name != "s3") {
            (0..rounds(12)).for_each(|seed| check(route, seed));
        }
    }
}

fn structure(schema: &'static Schema, random: &Random) -> Dynamic {
    structure_at(schema, random, 0)
}

/// Shapes that hold themselves are made of scalars from here on.
const LEVELS_MAX: usize = 6;

fn structure_at(schema: &'static Schema, random: &Random, level: usize) -> Dynamic {
    let mut shape = Dynamic::new(schema);
    let members = schema.members();
    let is_scalar = |at: &Member| !at.target.is_composite();
    let only_scalars = level >= LEVELS_MAX && members.iter().any(is_scalar);
    let choice: Vec<usize> = (0..members.len()).filter(|index| !only_scalars || is_scalar(&members[*index])).collect();
    let chosen = choice.get(random.below(choice.len() as u64) as usize).copied();
    for (index, at) in members.iter().enumerate() {
        if only_scalars && !is_scalar(at) {
            continue;
        }
        // A structure without any member leaves no trace in forms, a path has no place for a missing label, and every
        // answer has a status, and a type if it has a body. A union has exactly one.
        let is_always_there = matches!(at.place, Place::Uri | Place::Status) || at.wire == "Content-Type";
        let more = is_always_there || random.below(2) == 0;
        if Some(index) == chosen || (more && !matches!(schema.kind, Kind::Union(_))) {
            shape.set(index, datum(at, random, level + 1));
        }
    }
    shape
}

fn datum(at: &'static Member, random: &Random, level: usize) -> Datum {
    let count = || 1 + random.below(3);
    match at.target.kind {
        Kind::Boolean => Datum::Boolean(random.below(2) == 0),
        Kind::Integer if at.place == Place::Status => Datum::Integer(200 + random.below(3) as i64),
        Kind::Integer => Datum::Integer(i64::from(random.u64() as i32)),
        Kind::Long => Datum::Integer(random.u64() as i64),
        Kind::Float => Datum::Float(f32::from_bits(random.u64() as u32 & 0xFEFF_FFFF)),
        Kind::Double => Datum::Double(f64::from_bits(random.u64() & 0xFFBF_FFFF_FFFF_FFFF)),
        Kind::String => Datum::String(text(at.place, random)),
        Kind::Blob => {
            let mut bytes = vec![0; count() as usize * 7];
            random.fill(&mut bytes);
            Datum::Blob(Bytes::from(bytes))
        }
        Kind::Timestamp => {
            let millis = random.below(4_000_000_000_000) as i64;
            Datum::Timestamp(Timestamp::from_millisecond(millis).expect("within the years 1970 to 2096"))
        }
        Kind::Document => Datum::Document(json!({"a": [1, null, "x"], "b": {}})),
        Kind::List(item) => Datum::List((0..count()).map(|_| datum(item, random, level)).collect()),
        Kind::Map { value, .. } => {
            let entry = |_| (text(Place::Header, random), datum(value, random, level));
            Datum::Map((0..count()).map(entry).collect::<BTreeMap<_, _>>())
        }
        Kind::Structure(_) | Kind::Union(_) => Datum::Structure(structure_at(at.target, random, level)),
    }
}

/// Text that its place can carry: headers take letters only, XML no control letters.
fn text(place: Place, random: &Random) -> String {
    let length = 1 + random.below(20) as usize;
    match place {
        Place::Header | Place::Headers | Place::Status => random.text("abcXYZ019-_", length),
        Place::Uri | Place::Query | Place::QueryRest => random.text("abc /?&=%+:äß😹", length),
        Place::Body => random.text("ab \n\r\t\"\\<>&'/,;=+%äß\u{2028}😹", length),
    }
}

#[test]
fn damaged_messages_never_panic_a_decoder() {
    type Target = fn(&[u8]);
    let targets: &[(&str, Protocol, Target)] = &[
        ("aws_json", Protocol::Json11, fuzzing::aws_json),
        ("rest_json", Protocol::RestJson, fuzzing::rest_json),
        ("rest_xml", Protocol::RestXml, fuzzing::rest_xml),
        ("query", Protocol::Query, fuzzing::query),
        ("cbor", Protocol::Cbor, fuzzing::cbor),
        ("routing", Protocol::RestJson, fuzzing::routing),
    ];
    for (name, protocol, target) in targets {
        let corpus = corpus(name, *protocol);
        for seed in 0..rounds(3000) {
            let random = Random::seeded(seed);
            let mut data = corpus[random.below(corpus.len() as u64) as usize].clone();
            (0..1 + random.below(8)).for_each(|_| damage(&mut data, &random));
            let result = std::panic::catch_unwind(|| target(&data));
            assert!(result.is_ok(), "{name}, seed {seed}: {:?}", String::from_utf8_lossy(&data));
        }
    }
}

/// Good messages, as the target wants them.
fn corpus(name: &str, protocol: Protocol) -> Vec<Vec<u8>> {
    let routes = fuzzing::routes(protocol);
    let one = |(index, route): (usize, &Route)| {
        let input = structure(route.operation.shapes.expect("served").input, &Random::seeded(index as u64));
        let written = client::write_input(*route, &input);
        let (path, query) = (written.uri().path(), written.uri().query().unwrap_or_default());
        let mut data = Vec::new();
        match name {
            "routing" => {
                data.extend([written.method().as_str(), "\0", path, "\0", query, "\0\0"].concat().into_bytes());
                data.extend_from_slice(written.body());
            }
            "rest_json" | "rest_xml" => {
                data.push(index as u8);
                data.extend([path, "\0", query, "\0abc\0"].concat().into_bytes());
                data.extend_from_slice(written.body());
            }
            _ => {
                data.push(index as u8);
                data.extend_from_slice(written.body());
            }
        }
        data
    };
    routes.iter().enumerate().map(one).collect()
}

/// Changes a message a little: a byte, a gap, a repetition, a word that means something.
fn damage(data: &mut Vec<u8>, random: &Random) {
    const WORDS: &[&[u8]] = &[
        b"null",
        b"{",
        b"}",
        b"[",
        b"]",
        b"\"",
        b"\\u",
        b"\\ud800",
        b"1e999",
        b"-",
        b"0x",
        b"NaN",
        b"\0",
        b"\xFF",
        b"%",
        b"&",
        b"=",
        b".",
        b".1",
        b"<a>",
        b"</a>",
        b"&#0;",
        b"<!DOCTYPE a [",
        b"\x9F",
        b"\xBF",
        b"\x7F",
        b"\xFB\x7F\xF0",
        b"\x1B",
        b"9223372036854775808",
        b"{\"a\":",
        b"[[[[[[[[",
    ];
    let at = random.below(data.len() as u64 + 1) as usize;
    let end = (at + random.below(16) as usize).min(data.len());
    match random.below(5) {
        0 if at < data.len() => data[at] = random.u64() as u8,
        1 => drop(data.drain(at..end)),
        2 => {
            let part = data[at..end].to_vec();
            data.splice(at..at, part);
        }
        3 => data.truncate(at),
        _ => {
            let word = WORDS[random.below(WORDS.len() as u64) as usize];
            data.splice(at..at, word.iter().copied());
        }
    }
}
