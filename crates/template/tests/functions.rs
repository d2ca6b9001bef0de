//! Every function: what it gives, and what it says when it is given something else.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use template::evaluate::Surroundings;
use template::{Evaluator, Lookup, Pseudo, Resources, Template, conditions};

/// A resource that is made (`Made`) and one that is not yet (`Coming`).
struct World;

impl Resources for World {
    fn reference(&self, id: &str) -> Lookup {
        match id {
            "Made" => Lookup::Value(json!("made-1")),
            "Made.Alias" => Lookup::Value(json!("made-alias")),
            "Coming" | "Any.Alias" => Lookup::Later,
            _ => Lookup::NoResource,
        }
    }

    fn attribute(&self, id: &str, attribute: &str) -> Lookup {
        match (id, attribute) {
            ("Made", "Arn") => Lookup::Value(json!("arn:made")),
            ("Made", "Part.Deep") => Lookup::Value(json!("deep")),
            ("Made", "List") => Lookup::Value(json!(["x", "y"])),
            ("Made", _) => Lookup::NoAttribute,
            ("Coming" | "Any", _) => Lookup::Later,
            _ => Lookup::NoResource,
        }
    }
}

const FRAME: &str = "
Parameters:
  Stage: {Type: String, Default: dev}
  Tricky: {Type: String, Default: '${Made}'}
  Names: {Type: CommaDelimitedList, Default: 'a, b,c'}
  Count: {Type: Number, Default: 3}
Mappings:
  Sizes:
    dev: {Memory: 128, Zones: [a, b]}
    prod: {Memory: 1024}
Conditions:
  IsDev: !Equals [!Ref Stage, dev]
  IsProd: !Not [!Condition IsDev]
  Both: !And [!Condition IsDev, !Condition IsProd]
  Either: !Or [!Condition IsDev, !Condition IsProd]
  ThreeIsThree: !Equals [!Ref Count, 3]
  ByMap: !Equals [!FindInMap [Sizes, !Ref Stage, Memory], '128']
Resources:
  Made: {Type: T}
  Coming: {Type: T}
  X:
    Type: T
    Properties:
      P: ";

/// Puts `text` into a resource's property and gives what comes out, or the message.
fn evaluate(text: &str) -> Result<Option<Value>, String> {
    let node = template::read(&format!("{FRAME}{}", text.replace('\n', "\n        "))).map_err(|e| e.to_string())?;
    // The checks of names happen in `Template`; a function's own messages are wanted here even where a name is wrong.
    let property = node.at("Resources.X.Properties.P").expect("the frame has it").clone();
    let frame = Template::parse(&format!("{FRAME}1")).expect("the frame is sound");
    let bound = frame.bind(&BTreeMap::new()).expect("all have defaults");
    let pseudo = Pseudo {
        region: "eu-west-1".into(),
        account: "000000000000".into(),
        stack_name: "app".into(),
        stack_id: "arn:stack".into(),
    };
    let conditions = conditions::evaluate(&frame, &bound, &pseudo).map_err(|error| error.to_string())?;
    let exports = BTreeMap::from([("shared".to_owned(), "value".to_owned())]);
    let evaluator = Evaluator::new(Surroundings {
        mappings: &frame.mappings,
        parameters: &bound,
        pseudo: &pseudo,
        conditions: &conditions,
        exports: &exports,
        resources: &World,
    });
    let value = evaluator.evaluate(&property).map_err(|error| error.problem.to_string())?;
    Ok(value.map(|value| value.to_json()))
}

#[track_caller]
fn check(text: &str, expected: Value) {
    assert_eq!(evaluate(text), Ok(Some(expected)), "{text}");
}

#[track_caller]
fn check_fault(text: &str, expected: &str) {
    match evaluate(text) {
        Err(message) => assert_eq!(message, expected, "{text}"),
        Ok(value) => panic!("{text} gave {value:?}"),
    }
}

#[test]
fn references() {
    check("!Ref Stage", json!("dev"));
    check("{Ref: Stage}", json!("dev"));
    check("!Ref Names", json!(["a", "b", "c"]));
    check("!Ref Count", json!("3"));
    check("!Ref Made", json!("made-1"));
    check("!Ref Coming", json!({"Ref": "Coming"}));
    check("!Ref AWS::Region", json!("eu-west-1"));
    check("!Ref AWS::AccountId", json!("000000000000"));
    check("!Ref AWS::StackName", json!("app"));
    check("!Ref AWS::StackId", json!("arn:stack"));
    check("!Ref AWS::Partition", json!("aws"));
    check("!Ref AWS::URLSuffix", json!("amazonaws.com"));
    check("!Ref AWS::NotificationARNs", json!([]));
    check("{a: !Ref AWS::NoValue, b: 1, c: [!Ref AWS::NoValue, 2]}", json!({"b": 1, "c": [2]}));
    assert_eq!(evaluate("!Ref AWS::NoValue"), Ok(None));
    check_fault("!Ref [a]", "Template error: every Ref object must have a single String value.");
    check_fault(
        "!Ref Nobody",
        "Template format error: Unresolved resource dependencies [Nobody] in the Resources block of the template",
    );
}

#[test]
fn attributes() {
    check("!GetAtt Made.Arn", json!("arn:made"));
    check("{'Fn::GetAtt': [Made, Arn]}", json!("arn:made"));
    check("{'Fn::GetAtt': Made.Part.Deep}", json!("deep"));
    check("!GetAtt [Made, Part.Deep]", json!("deep"));
    check("!GetAtt Coming.Arn", json!({"Fn::GetAtt": ["Coming", "Arn"]}));
    check_fault(
        "!GetAtt Made.Nope",
        "Template error: resource Made does not support attribute type Nope in Fn::GetAtt",
    );
    check_fault("!GetAtt Nobody.Arn", "Template error: instance of Fn::GetAtt references undefined resource Nobody");
    let two = "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource \
               attribute";
    check_fault("!GetAtt Made", two);
    check_fault("!GetAtt [Made, Part, Deep]", two);
    check_fault("!GetAtt [Made, '']", two);
}

#[test]
fn substitution() {
    check("!Sub 'x-${Stage}-${AWS::Region}'", json!("x-dev-eu-west-1"));
    check("!Sub '${Made.Arn}/${Made.Part.Deep}/${Made}'", json!("arn:made/deep/made-1"));
    check("!Sub '${Made.Alias}'", json!("made-alias"));
    // It may be a resource of that name yet, or an attribute.
    check("!Sub 'a${Any.Alias}b'", json!({"Fn::Join": ["", ["a", {"Fn::Sub": "${Any.Alias}"}, "b"]]}));
    check("!Sub 'keep ${!Stage} and $ and ${'", json!("keep ${Stage} and $ and ${"));
    check("!Sub ['${a}-${b}', {a: 1, b: !Ref Stage}]", json!("1-dev"));
    check("!Sub '${Tricky}'", json!("${Made}"));
    check("!Sub 'a${Coming}b'", json!({"Fn::Join": ["", ["a", {"Ref": "Coming"}, "b"]]}));
    check("!Sub '${Tricky}/${Coming.Arn}'", json!({"Fn::Join": ["", ["${Made}/", {"Fn::GetAtt": ["Coming", "Arn"]}]]}));
    check_fault(
        "!Sub '${a b}'",
        "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and \
         colons",
    );
    check_fault("!Sub '${Names}'", "Template error: variable Names in Fn::Sub expression does not resolve to a string");
    let form = "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as \
                first argument, and an optional second argument to specify a mapping of values to replace in the string";
    check_fault("!Sub [a]", form);
    check_fault("!Sub {a: b}", form);
    check_fault("!Sub [a, b]", form);
}

#[test]
fn lists_and_text() {
    check("!Join ['-', [a, 1, true, !Ref Stage]]", json!("a-1-true-dev"));
    check("!Join [',', !Ref Names]", json!("a,b,c"));
    check("!Join ['', []]", json!(""));
    check("!Join ['-', [a, !Ref Coming]]", json!({"Fn::Join": ["-", ["a", {"Ref": "Coming"}]]}));
    check("!Join ['-', [a, !Ref AWS::NoValue]]", json!("a"));
    let join = "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings \
                to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.";
    check_fault("!Join [a]", join);
    check_fault("!Join ['-', text]", join);
    check_fault("!Join ['-', [[nested]]]", join);

    check("!Split [',', 'a,b,,c']", json!(["a", "b", "", "c"]));
    check("!Split ['|', !Ref Coming]", json!({"Fn::Split": ["|", {"Ref": "Coming"}]}));
    let split = "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be \
                 split or a function that returns a string to be split.";
    check_fault("!Split ['', abc]", split);
    check_fault("!Split [',', [a]]", split);

    check("!Select [1, [a, b]]", json!("b"));
    check("!Select ['1', !Ref Names]", json!("b"));
    check("!Select [0, !Split ['-', 'x-y']]", json!("x"));
    check("!Select [1, [!Ref Coming, b]]", json!("b"));
    check("!Select [0, [!Ref Coming, b]]", json!({"Ref": "Coming"}));
    check("!Select [0, !GetAtt Made.List]", json!("x"));
    check_fault("!Select [2, [a, b]]", "Template error: Fn::Select cannot select nonexistent value at index 2");
    check_fault("!Select [-1, [a, b]]", "Template error: Fn::Select cannot select nonexistent value at index -1");
    let select = "Template error: Fn::Select requires a list argument with two elements: an integer index and a list";
    check_fault("!Select [x, [a, b]]", select);
    check_fault("!Select [0, a]", select);
    check_fault("!Select 0", select);

    check("!Base64 'hello'", json!("aGVsbG8="));
    check("{'Fn::Base64': !Sub 'x${Stage}'}", json!("eGRldg=="));
    check_fault("{'Fn::Base64': [a]}", "Template error: every Fn::Base64 object must have a String-typed value.");

    check("!Length [a, b]", json!(2));
    check("{'Fn::Length': !Ref Names}", json!(3));
    check_fault("!Length x", "Template error: every Fn::Length object requires a list.");
    check("!ToJsonString {a: 1, b: [!Ref Stage]}", json!("{\"a\":1,\"b\":[\"dev\"]}"));
    check("!ToJsonString {a: !Ref Coming}", json!({"Fn::ToJsonString": {"a": {"Ref": "Coming"}}}));
    check_fault("!ToJsonString x", "Template error: every Fn::ToJsonString object requires a map or a list.");
}

#[test]
fn places() {
    check("!GetAZs ''", json!(["eu-west-1a", "eu-west-1b", "eu-west-1c"]));
    check("{'Fn::GetAZs': !Ref AWS::Region}", json!(["eu-west-1a", "eu-west-1b", "eu-west-1c"]));
    check("!GetAZs us-east-1", json!(["us-east-1a", "us-east-1b", "us-east-1c"]));
    check_fault("!GetAZs [a]", "Template error: every Fn::GetAZs object requires the name of a region as text.");
    check("!Cidr ['10.0.0.0/16', 2, 8]", json!(["10.0.0.0/24", "10.0.1.0/24"]));
    check("!Select [1, !Cidr ['10.0.0.0/16', '2', '8']]", json!("10.0.1.0/24"));
    check_fault(
        "!Cidr ['10.0.0.0/30', 2, 8]",
        "Template error: every Fn::Cidr object requires a list of an address block, a count from 1 to 256 and optionally the \
         number of subnet bits: 8 subnet bits do not fit into 10.0.0.0/30",
    );
    check("!ImportValue shared", json!("value"));
    check("{'Fn::ImportValue': !Join ['', [sha, red]]}", json!("value"));
    check_fault("!ImportValue other", "No export named other found.");
    check_fault(
        "{'Fn::ImportValue': !Ref Coming}",
        "Template error: the attribute in Fn::ImportValue must not depend on any resources, and must be a string.",
    );
}

#[test]
fn maps_and_conditions() {
    check("!FindInMap [Sizes, !Ref Stage, Memory]", json!(128));
    check("!FindInMap [Sizes, dev, Zones]", json!(["a", "b"]));
    check("!FindInMap [Sizes, test, Memory, {DefaultValue: 64}]", json!(64));
    check("!FindInMap [Nope, test, Memory, {DefaultValue: !Ref Stage}]", json!("dev"));
    check_fault("!FindInMap [Sizes, test, Memory]", "Template error: Unable to get mapping for Sizes::test::Memory");
    check_fault(
        "!FindInMap [Nope, a, b]",
        "Template error: Mapping named 'Nope' is not present in the 'Mappings' section of template.",
    );
    check_fault(
        "!FindInMap [Sizes, a]",
        "Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for \
         return value",
    );
    for (condition, expected) in
        [("IsDev", true), ("IsProd", false), ("Both", false), ("Either", true), ("ThreeIsThree", true), ("ByMap", true)]
    {
        check(&format!("!If [{condition}, yes, no]"), json!(if expected { "yes" } else { "no" }));
    }
    check("!If [IsDev, {a: !Ref Stage}, !Ref AWS::NoValue]", json!({"a": "dev"}));
    check("{a: !If [IsProd, 1, !Ref AWS::NoValue], b: 2}", json!({"b": 2}));
    check("!If [IsProd, !GetAtt Nobody.Arn, fine]", json!("fine"));
    check_fault(
        "!If [IsDev, a]",
        "Template error: Fn::If requires a list argument with three elements: a condition's name and two values",
    );
    check_fault(
        "!If [Nope, a, b]",
        "Template format error: Unresolved condition dependency Nope in the Resources block of the template",
    );
    check_fault(
        "!Equals [a, b]",
        "Template error: Fn::Equals cannot be used here: it is for the Conditions block and the first argument of Fn::If",
    );
}

#[test]
fn functions_that_are_not_there() {
    check_fault(
        "{'Fn::Transform': {Name: 'AWS::Include'}}",
        "Template error: Fn::Transform is not served: macros and includes are not; put what it would insert into the template",
    );
    check_fault(
        "{'Fn::ForEach::Loop': [x, [a], {b: c}]}",
        "Template error: Fn::ForEach::Loop is not served: loops are not; write the repeated parts out",
    );
    let message = evaluate("{'Fn::Frobnicate': x}").expect_err("nobody knows it");
    assert!(message.starts_with(
        "Template error: Encountered unsupported function: Fn::Frobnicate Supported functions are: [Fn::"
    ));
    let message = evaluate("!Frobnicate x").expect_err("nobody knows it");
    assert!(message.contains("the tag '!Frobnicate' is not a function that templates have"), "{message}");
}

#[test]
fn what_functions_make_is_bounded() {
    let long = "x".repeat(9_000);
    let many = vec!["a"; 3_000].join(",");
    check_fault(
        &format!("!Join ['{long}', !Split [',', '{many}']]"),
        "Template error: the functions of this template make more than 16000000 bytes",
    );
}
