//! What clients get.

use super::*;

fn check(payload: &str, status: u16, headers: &[(&str, &str)], body: &str) {
    let response = read(&Bytes::copy_from_slice(payload.as_bytes())).unwrap_or_else(|why| panic!("{payload}: {why}"));
    let found: Vec<(&str, &str)> =
        response.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().expect("text"))).collect();
    assert_eq!((response.status().as_u16(), found.as_slice()), (status, headers), "{payload}");
    assert_eq!(response.body(), body, "{payload}");
}

#[test]
fn answers_without_a_status_are_bodies() {
    let json = [("content-type", "application/json")];
    for payload in ["\"hello\"", "null", "17", "[1,2]", "{}", r#"{"message":"hi"}"#, r#" {"statusCode":null}"#, ""] {
        check(payload, 200, &json, payload);
    }
}

#[test]
fn answers_with_a_status_say_everything() {
    let json = ("content-type", "application/json");
    check(r#"{"statusCode":201}"#, 201, &[json], "");
    check(r#"{"statusCode":"404","body":"gone"}"#, 404, &[json], "gone");
    check(r#"{"statusCode":200,"body":"é\n\"x\""}"#, 200, &[json], "é\n\"x\"");
    check(r#"{"statusCode":200,"body":{"a":1}}"#, 200, &[json], r#"{"a":1}"#);
    check(r#"{"statusCode":200,"body":null,"headers":null,"cookies":null,"isBase64Encoded":null}"#, 200, &[json], "");
    check(r#"{"statusCode":200,"body":"aGk=","isBase64Encoded":true}"#, 200, &[json], "hi");
    for status in [204, 205, 304] {
        check(&format!(r#"{{"statusCode":{status},"body":"x"}}"#), status, &[json], "");
    }
    check(
        r#"{"statusCode":200,"headers":{"Content-Type":"text/html","X-N":5,"X-T":true,"X-0":null,"Connection":"close",
            "Content-Length":"99","Keep-Alive":"timeout=5","x-esc\u002d1":"a\"b"},"cookies":["a=1","b=2; Secure"],"body":"<p>","multiValueHeaders":{"x":["y"]}}"#,
        200,
        &[
            ("content-type", "text/html"),
            ("x-n", "5"),
            ("x-t", "true"),
            ("x-esc-1", "a\"b"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2; Secure"),
        ],
        "<p>",
    );
}

#[test]
fn nonsense_is_told_apart() {
    for (payload, expected) in [
        (r#"{"statusCode":199}"#, Some(Malformed::Status(199))),
        (r#"{"statusCode":600}"#, Some(Malformed::Status(600))),
        (r#"{"statusCode":-1}"#, Some(Malformed::Status(-1))),
        (r#"{"statusCode":200,"headers":{"a b":"c"}}"#, Some(Malformed::Header("a b".into()))),
        (r#"{"statusCode":200,"headers":{"a":"c\nd"}}"#, Some(Malformed::Header("a".into()))),
        (r#"{"statusCode":200,"headers":{"a":["c"]}}"#, Some(Malformed::Header("a".into()))),
        (r#"{"statusCode":200,"cookies":["a\u0000"]}"#, Some(Malformed::Header("set-cookie".into()))),
        (r#"{"statusCode":200,"cookies":[{}]}"#, Some(Malformed::Header("set-cookie".into()))),
        (r#"{"statusCode":200,"body":"?","isBase64Encoded":true}"#, Some(Malformed::Base64)),
        (r#"{"statusCode":"ok"}"#, None),
        (r#"{"statusCode":200.5}"#, None),
        (r#"{"statusCode":200,"headers":[]}"#, None),
        (r#"{"statusCode":200,"cookies":"a"}"#, None),
        (r#"{"statusCode":200,"#, None),
    ] {
        let fault = read(&Bytes::copy_from_slice(payload.as_bytes())).expect_err(payload);
        match expected {
            Some(expected) => assert_eq!(fault, expected, "{payload}"),
            None => assert!(matches!(fault, Malformed::Form(_)), "{payload}: {fault}"),
        }
    }
}

#[test]
fn what_is_spelt_plainly_is_not_copied() {
    let payload = Bytes::from_static(br#"{"statusCode":200,"headers":{"x-a":"value"},"body":"a long body"}"#);
    let within = |bytes: &[u8]| payload.as_ptr_range().contains(&bytes.as_ptr());
    let response = read(&payload).expect("a response");
    assert!(within(response.body()) && within(response.headers()["x-a"].as_bytes()));
    let escaped = Bytes::from_static(br#"{"statusCode":200,"body":"two\nlines"}"#);
    assert_eq!(read(&escaped).expect("a response").body(), "two\nlines");
}

#[test]
fn mutated_answers_never_panic() {
    let random = base::Random::seeded(4);
    let seed =
        br#"{"statusCode":200,"headers":{"x-a":"b","n":1},"cookies":["c=d"],"body":"aGk=","isBase64Encoded":true}"#;
    let mut read_well = 0;
    for _ in 0..50_000 {
        let mut bytes = seed.to_vec();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(3) {
                0 => bytes[at] = random.below(256) as u8,
                1 => bytes[at] = b"{}[]\":,\\0n"[random.below(10) as usize],
                _ => {
                    bytes.remove(at);
                }
            }
        }
        crate::fuzzing::answer(&bytes);
        if let Ok(response) = read(&Bytes::from(bytes)) {
            assert!((200..600).contains(&response.status().as_u16()));
            read_well += 1;
        }
    }
    assert!(read_well > 1000, "some mutations are harmless: {read_well}");
}
