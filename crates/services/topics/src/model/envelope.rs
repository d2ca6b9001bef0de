//! What a message looks like on its way: the JSON that queues and HTTP endpoints get, the record that functions get, and the text
//! that is signed. Pure: signatures are made elsewhere and handed in.

use serde_json::{Value, json};

use super::attribute::{self};
use super::message::{Message, sequence_number, timestamp};

/// Where the node serves what subscribers are sent to: its certificate, and what they answer without proving who they are.
pub const PATH: &str = "/_sns/";

/// One message to one protocol, without what differs between subscriptions.
#[derive(Clone, Debug)]
pub struct Envelope<'a> {
    /// The message.
    pub message: &'a Message,
    /// What it says there.
    pub text: &'a str,
    /// The topic, or the endpoint that was published to directly.
    pub topic_arn: &'a str,
    /// The signature; topics with order have none.
    pub seal: Option<Seal>,
}

/// A signature, and where the certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// `1` or `2`.
    pub version: &'static str,
    /// In base64.
    pub signature: String,
    /// The path of the certificate, which comes after what addresses begin with.
    pub certificate_path: String,
}

impl Envelope<'_> {
    /// The text that is signed.
    pub fn signed_text(message: &Message, text: &str, topic_arn: &str) -> String {
        let mut out = format!("Message\n{text}\nMessageId\n{}\n", message.id);
        if let Some(subject) = &message.subject {
            out += &format!("Subject\n{subject}\n");
        }
        out + &format!("Timestamp\n{}\nTopicArn\n{topic_arn}\nType\nNotification\n", message.timestamp())
    }

    /// The JSON for one subscription. `base_url` is what its addresses begin with.
    pub fn json(&self, subscription_arn: &str, base_url: &str) -> String {
        let message = self.message;
        let mut members: Vec<(&str, Value)> = vec![("Type", json!("Notification")), ("MessageId", json!(message.id))];
        if let Some(place) = message.sequence {
            members.push(("SequenceNumber", json!(sequence_number(place))));
        }
        members.push(("TopicArn", json!(self.topic_arn)));
        if let Some(subject) = &message.subject {
            members.push(("Subject", json!(subject)));
        }
        members.push(("Message", json!(self.text)));
        members.push(("Timestamp", json!(message.timestamp())));
        if let Some(seal) = &self.seal {
            members.push(("SignatureVersion", json!(seal.version)));
            members.push(("Signature", json!(seal.signature)));
            members.push(("SigningCertURL", json!(format!("{base_url}{}", seal.certificate_path))));
        }
        members.push(("UnsubscribeURL", json!(unsubscribe_url(subscription_arn, base_url))));
        members.extend(attribute::shown(&message.attributes).map(|shown| ("MessageAttributes", shown)));
        pretty(&members)
    }

    /// The event that a function gets.
    pub fn event(&self, subscription_arn: &str, base_url: &str) -> Value {
        let message = self.message;
        let (version, signature, certificate) = match &self.seal {
            Some(seal) => (seal.version, seal.signature.as_str(), format!("{base_url}{}", seal.certificate_path)),
            None => ("1", "", String::new()),
        };
        json!({
            "Records": [{
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": subscription_arn,
                "Sns": {
                    "Type": "Notification",
                    "MessageId": message.id,
                    "TopicArn": self.topic_arn,
                    "Subject": message.subject,
                    "Message": self.text,
                    "Timestamp": message.timestamp(),
                    "SignatureVersion": version,
                    "Signature": signature,
                    "SigningCertUrl": certificate,
                    "UnsubscribeUrl": unsubscribe_url(subscription_arn, base_url),
                    "MessageAttributes": attribute::shown(&message.attributes).unwrap_or_else(|| json!({})),
                },
            }],
        })
    }
}

/// What asks whoever is at an endpoint whether they want what comes, or says that nothing comes any more.
#[derive(Clone, Debug)]
pub struct Confirmation<'a> {
    /// `SubscriptionConfirmation` or `UnsubscribeConfirmation`.
    pub kind: &'static str,
    /// Its id.
    pub id: uuid::Uuid,
    /// When.
    pub now_ms: i64,
    /// The topic.
    pub topic_arn: &'a str,
    /// What confirms.
    pub token: &'a str,
    /// What addresses begin with.
    pub base_url: &'a str,
}

impl Confirmation<'_> {
    /// What it says.
    pub fn text(&self) -> String {
        match self.kind {
            "UnsubscribeConfirmation" => format!(
                "You have chosen to deactivate subscription to the topic {}.\nTo cancel this operation and restore the \
                 subscription, visit the SubscribeURL included in this message.",
                self.topic_arn
            ),
            _ => format!(
                "You have chosen to subscribe to the topic {}.\nTo confirm the subscription, visit the SubscribeURL included \
                 in this message.",
                self.topic_arn
            ),
        }
    }

    /// Where the answer is yes.
    pub fn subscribe_url(&self) -> String {
        let (arn, token) = (escaped(self.topic_arn), escaped(self.token));
        format!("{}{PATH}?Action=ConfirmSubscription&TopicArn={arn}&Token={token}", self.base_url)
    }

    /// The text that is signed.
    pub fn signed_text(&self) -> String {
        format!(
            "Message\n{}\nMessageId\n{}\nSubscribeURL\n{}\nTimestamp\n{}\nToken\n{}\nTopicArn\n{}\nType\n{}\n",
            self.text(),
            self.id,
            self.subscribe_url(),
            timestamp(self.now_ms),
            self.token,
            self.topic_arn,
            self.kind
        )
    }

    /// The JSON that an HTTP endpoint gets.
    pub fn json(&self, seal: &Seal) -> String {
        pretty(&[
            ("Type", json!(self.kind)),
            ("MessageId", json!(self.id)),
            ("Token", json!(self.token)),
            ("TopicArn", json!(self.topic_arn)),
            ("Message", json!(self.text())),
            ("SubscribeURL", json!(self.subscribe_url())),
            ("Timestamp", json!(timestamp(self.now_ms))),
            ("SignatureVersion", json!(seal.version)),
            ("Signature", json!(seal.signature)),
            ("SigningCertURL", json!(format!("{}{}", self.base_url, seal.certificate_path))),
        ])
    }
}

/// Where whoever gets the messages can end that.
pub fn unsubscribe_url(subscription_arn: &str, base_url: &str) -> String {
    format!("{base_url}{PATH}?Action=Unsubscribe&SubscriptionArn={}", escaped(subscription_arn))
}

fn escaped(text: &str) -> impl std::fmt::Display + '_ {
    // Colons stay, as AWS writes them.
    const KEPT: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b':').remove(b'-').remove(b'_').remove(b'.');
    percent_encoding::utf8_percent_encode(text, KEPT)
}

/// JSON with the white space that AWS puts into it.
fn pretty(members: &[(&str, Value)]) -> String {
    let one = |(name, value): &(&str, Value)| match value {
        Value::Object(inside) => {
            let inside: Vec<String> =
                inside.iter().map(|(name, value)| format!("    {} : {value}", json!(name))).collect();
            format!("  {} : {{\n{}\n  }}", json!(name), inside.join(",\n"))
        }
        plain => format!("  {} : {plain}", json!(name)),
    };
    let members: Vec<String> = members.iter().map(one).collect();
    format!("{{\n{}\n}}", members.join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::attribute::{Attribute, Value as AttributeValue};
    use crate::model::message::Body;

    fn message() -> Message {
        Message {
            id: uuid::Uuid::nil(),
            published_ms: 1_795_262_400_000,
            subject: Some("Hello".into()),
            body: Body::Same("a \"b\"".into()),
            attributes: [(
                "colour".to_owned(),
                Attribute { data_type: "String".into(), value: AttributeValue::Text("red".into()) },
            )]
            .into(),
            group: None,
            deduplication_id: None,
            sequence: None,
        }
    }

    #[test]
    fn envelopes_look_as_awss_do() {
        let message = message();
        let seal = Seal { version: "1", signature: "c2ln".into(), certificate_path: "/cert.pem".into() };
        let envelope =
            Envelope { message: &message, text: message.body.to("sqs"), topic_arn: "arn:t", seal: Some(seal) };
        let expected = r#"{
  "Type" : "Notification",
  "MessageId" : "00000000-0000-0000-0000-000000000000",
  "TopicArn" : "arn:t",
  "Subject" : "Hello",
  "Message" : "a \"b\"",
  "Timestamp" : "2026-11-21T12:00:00.000Z",
  "SignatureVersion" : "1",
  "Signature" : "c2ln",
  "SigningCertURL" : "http://h/cert.pem",
  "UnsubscribeURL" : "http://h/_sns/?Action=Unsubscribe&SubscriptionArn=arn:t:1",
  "MessageAttributes" : {
    "colour" : {"Type":"String","Value":"red"}
  }
}"#;
        assert_eq!(envelope.json("arn:t:1", "http://h"), expected);
        let event = envelope.event("arn:t:1", "http://h");
        let record = &event["Records"][0];
        assert_eq!((&record["EventSource"], &record["Sns"]["Subject"]), (&json!("aws:sns"), &json!("Hello")));
        assert_eq!(record["Sns"]["SigningCertUrl"], "http://h/cert.pem");
        assert_eq!(
            Envelope::signed_text(&message, "a", "arn:t"),
            "Message\na\nMessageId\n00000000-0000-0000-0000-000000000000\nSubject\nHello\nTimestamp\n\
             2026-11-21T12:00:00.000Z\nTopicArn\narn:t\nType\nNotification\n"
        );
    }

    #[test]
    fn confirmations_carry_where_to_go() {
        let asked = Confirmation {
            kind: "SubscriptionConfirmation",
            id: uuid::Uuid::nil(),
            now_ms: 0,
            topic_arn: "arn:aws:sns:r:a:t",
            token: "abc",
            base_url: "http://h",
        };
        let url = "http://h/_sns/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:r:a:t&Token=abc";
        assert_eq!(asked.subscribe_url(), url);
        assert!(asked.signed_text().contains(&format!("SubscribeURL\n{url}\nTimestamp\n1970-01-01T00:00:00.000Z\n")));
        let seal = Seal { version: "2", signature: "s".into(), certificate_path: "/c".into() };
        let json: Value = serde_json::from_str(&asked.json(&seal)).expect("is JSON");
        assert_eq!((&json["SubscribeURL"], &json["Token"]), (&Value::from(url), &Value::from("abc")));
    }
}
