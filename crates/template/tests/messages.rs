//! What is wrong with a template, in the words that people know from CloudFormation, with the line where it helps.

use std::collections::BTreeMap;

use template::{Pseudo, Template, conditions};

#[track_caller]
fn check(text: &str, expected: &str) {
    match Template::parse(text) {
        Ok(_) => panic!("nothing is wrong with {text}"),
        Err(error) => assert_eq!(error.to_string(), expected, "{text}"),
    }
}

#[test]
fn text() {
    check(
        "Resources:\n  A: [1\n",
        "Template format error: YAML not well-formed. (line 3, column 1): while parsing a flow sequence, expected ',' or ']'",
    );
    check(
        "Resources:\n  A: {Type: T}\n  A: {Type: T}\n",
        "Template format error: YAML not well-formed. (line 3, column 3): the key 'A' is there twice",
    );
    check(
        "{\"Resources\": {\n\"A\": {\"Type\": \"T\"},\n\"A\": {\"Type\": \"T\"}}}",
        "Template format error: JSON not well-formed. (line 3, column 3): the key 'A' is there twice",
    );
    check(
        "{\"Resources\": ",
        "Template format error: JSON not well-formed. (line 1, column 14): EOF while parsing a value",
    );
    let deep =
        format!("Resources: {{A: {{Type: T, Properties: {{P: {}x{}}}}}}}", "!If [C, y, ".repeat(60), "]".repeat(60));
    check(&deep, "Template format error: lists and maps lie more than 100 levels deep in each other.");
    check("", "Template format error: unsupported structure.");
    check("just text", "Template format error: unsupported structure.");
    check("[]", "Template format error: unsupported structure.");
    check(
        "Resources: {A: {Type: T, Properties: {<<: {a: 1}}}}",
        "Template format error: YAML not well-formed. (line 1, column 39): merging maps with '<<' is not supported in templates",
    );
    let large = format!("Description: {}", "x".repeat(1_000_000));
    check(&large, "Template may not exceed 1000000 bytes in size; this one has 1000013.");
}

#[test]
fn sections() {
    check("Resources:\n  A: {Type: T}\nFoo: 1\nBar: 2", "Invalid template property or properties [Foo, Bar] (line 3)");
    check("Description: x", "Template format error: At least one Resources member must be defined.");
    check("Resources: {}", "Template format error: At least one Resources member must be defined.");
    check(
        "Resources:\n",
        "Template validation error: [/Resources] 'null' values are not allowed in templates (line 1)",
    );
    check(
        "Resources:\n  A:\n    Type: T\n    Properties:\n      B:\n      - 1\n      -\n",
        "Template validation error: [/Resources/A/Properties/B/1] 'null' values are not allowed in templates (line 7)",
    );
    check("Resources: []", "Template format error: the section Resources must be a map. (line 1)");
    check(
        "AWSTemplateFormatVersion: 2012-01-01\nResources: {A: {Type: T}}",
        "Template format error: 2012-01-01 is not a supported value for AWSTemplateFormatVersion. (line 1)",
    );
    check(
        "Resources:\n  A: {Properties: {}}",
        "Template format error: [/Resources/A] Every Resources object must contain a Type member. (line 2)",
    );
    check("Resources:\n  a_b: {Type: T}", "Template format error: Resource name a_b is non alphanumeric. (line 2)");
    check(
        "Resources:\n  A:\n    Type: T\n    Propertis: {}",
        "Invalid template resource property 'Propertis' (line 4)",
    );
    check(
        "Resources:\n  A: {Type: T, DeletionPolicy: Keep}",
        "Template format error: [/Resources/A/DeletionPolicy] Unrecognized DeletionPolicy Keep for resource A: it must be Delete \
         or Retain. (line 2)",
    );
    check(
        "Resources: {A: {Type: T}}\nOutputs:\n  O: {Description: x}",
        "Template format error: [/Outputs/O] Every Outputs member must contain a Value object (line 3)",
    );
    check(
        "Resources: {A: {Type: T}}\nMappings: {M: {k: {a: {b: c}}}}",
        "Template format error: Every Mappings attribute must be a String or a List. (M/k/a) (line 2)",
    );
    check("Resources: {A: {Type: T}}\nTransform: Mine", "No transform named Mine found. (line 2)");
    check(
        "Resources: {A: {Type: T}}\nGlobals: {Function: {}}",
        "Template format error: Globals need `Transform: AWS::Serverless-2016-10-31`. (line 2)",
    );
    let many: String = (0..501).map(|n| format!("  A{n}: {{Type: T}}\n")).collect();
    check(
        &format!("Resources:\n{many}"),
        "Template format error: Number of Resources, 501, is greater than maximum allowed, 500 (line 2)",
    );
}

#[test]
fn names_that_lead_nowhere() {
    check(
        "Resources:\n  A:\n    Type: T\n    Properties:\n      X: !Ref Nope\n      Y: !Sub '${Gone}'",
        "Template format error: Unresolved resource dependencies [Gone, Nope] in the Resources block of the template (line 6)",
    );
    check(
        "Resources:\n  A: {Type: T, DependsOn: [B]}",
        "Template format error: Unresolved resource dependencies [B] in the Resources block of the template (line 2)",
    );
    check(
        "Resources: {A: {Type: T}}\nOutputs:\n  O: {Value: !Ref B}",
        "Template format error: Unresolved resource dependencies [B] in the Outputs block of the template (line 3)",
    );
    check(
        "Resources:\n  A: {Type: T, Properties: {X: !GetAtt B.Arn}}",
        "Template error: instance of Fn::GetAtt references undefined resource B (line 2)",
    );
    check(
        "Conditions:\n  C: !Equals [!Ref A, x]\nResources:\n  A: {Type: T}",
        "Template format error: Unresolved dependencies [A]. Cannot reference resources in the Conditions block of the template \
         (line 2)",
    );
    check(
        "Resources:\n  A: {Type: T, Condition: C}",
        "Template format error: Unresolved condition dependency C in the Resources block of the template (line 2)",
    );
    check(
        "Resources:\n  A: {Type: T, Properties: {X: !If [C, 1, 2]}}",
        "Template format error: Unresolved condition dependency C in the Resources block of the template (line 2)",
    );
}

#[test]
fn conditions_that_are_wrong() {
    for (text, expected) in [
        ("A: !Not [!Condition B]\n  B: !Not [!Condition A]", "Circular dependency between conditions: [A, B] (line 3)"),
        ("A: !Equals [a]", "Template error: every Fn::Equals object requires a list of 2 string parameters. (line 2)"),
        ("A: !Not [a, b]", "Template error: every Fn::Not object requires one boolean parameter. (line 2)"),
        (
            "A: !And [!Equals [a, b]]",
            "Template error: every Fn::And object requires a list of at least 2 and at most 10 boolean parameters. (line 2)",
        ),
        (
            "A: !Or [!Condition B, !Condition Gone]\n  B: !Equals [a, b]",
            "Template format error: Unresolved condition dependency Gone in the Conditions block of the template (line 2)",
        ),
        (
            "A: !Condition [B]",
            "Template format error: Condition A must be one of Fn::And, Fn::Equals, Fn::Not, Fn::Or and Condition (line 2)",
        ),
        (
            "A: !Sub x",
            "Template format error: Condition A must be one of Fn::And, Fn::Equals, Fn::Not, Fn::Or and Condition (line 2)",
        ),
    ] {
        let text = format!("Conditions:\n  {text}\nResources: {{R: {{Type: T}}}}");
        let template = Template::parse(&text).expect("its sections are sound");
        let bound = template.bind(&BTreeMap::new()).expect("it has no parameters");
        let error = conditions::evaluate(&template, &bound, &Pseudo::default()).expect_err("something is wrong");
        assert_eq!(error.to_string(), expected);
    }
}

/// Hundreds of conditions that are made of each other, each deep in itself, and in the order that makes the way longest.
#[test]
fn conditions_in_a_long_row_are_settled() {
    let count = 499;
    let (open, close) = ("!Not [".repeat(44), "]".repeat(44));
    let mut text = "Conditions:\n".to_owned();
    for n in 0..count {
        text.push_str(&format!("  C{n}: {open}!Condition C{}{close}\n", n + 1));
    }
    text.push_str(&format!("  C{count}: !Equals [a, a]\nResources: {{R: {{Type: T}}}}"));
    let template = Template::parse(&text).expect("its sections are sound");
    let bound = template.bind(&BTreeMap::new()).expect("it has no parameters");
    let truths = conditions::evaluate(&template, &bound, &Pseudo::default()).expect("there is an end");
    assert_eq!((truths.len(), truths["C0"]), (500, true));
}

#[test]
fn parameters_that_are_wrong() {
    for (text, expected) in [
        ("{}", "Template format error: [/Parameters/P] Every Parameters object must contain a Type member. (line 2)"),
        ("{Type: Text}", "Template format error: Unrecognized parameter type: Text (parameter P) (line 2)"),
        (
            "{Type: 'AWS::SSM::Parameter::Value<String>'}",
            "Template format error: [/Parameters/P/Type] AWS::SSM::Parameter::Value<String> is not served yet: take String, and \
             give the value itself. (line 2)",
        ),
        (
            "{Type: String, AllowedValues: a}",
            "Template format error: [/Parameters/P/AllowedValues] Every AllowedValues member must be a list. (line 2)",
        ),
        (
            "{Type: String, Default: [a]}",
            "Template format error: [/Parameters/P/Default] Every Default member must be a string. (line 2)",
        ),
        (
            "{Type: String, Dfault: a}",
            "Template format error: [/Parameters/P/Dfault] Parameters have no such member. (line 2)",
        ),
    ] {
        check(&format!("Parameters:\n  P: {text}\nResources: {{R: {{Type: T}}}}"), expected);
    }
}

#[test]
fn values_of_parameters() {
    let cases: [(&str, Option<&str>, Result<serde_json::Value, &str>); 20] = [
        ("{Type: String}", None, Err("Parameters: [P] must have values")),
        ("{Type: String}", Some("x"), Ok("x".into())),
        ("{Type: String, Default: 000000000123}", None, Ok("000000000123".into())),
        ("{Type: String, Default: 0777}", None, Ok("0777".into())),
        ("{Type: String, Default: true}", None, Ok("true".into())),
        ("{Type: String, AllowedValues: [a, 1]}", Some("1"), Ok("1".into())),
        (
            "{Type: String, AllowedValues: [a, b]}",
            Some("c"),
            Err("Parameter 'P' must be one of AllowedValues (line 2)"),
        ),
        (
            "{Type: String, AllowedPattern: '[a-z]+'}",
            Some("abc1"),
            Err("Parameter 'P' must match pattern [a-z]+ (line 2)"),
        ),
        ("{Type: String, AllowedPattern: 'a|b'}", Some("b"), Ok("b".into())),
        ("{Type: String, AllowedPattern: 'a|b'}", Some("ab"), Err("Parameter 'P' must match pattern a|b (line 2)")),
        (
            "{Type: String, AllowedPattern: 'a', ConstraintDescription: be an a}",
            Some("b"),
            Err("Parameter P failed to satisfy constraint: be an a (line 2)"),
        ),
        ("{Type: String, MinLength: 2}", Some("a"), Err("Parameter 'P' must contain at least 2 characters (line 2)")),
        ("{Type: String, MaxLength: 2}", Some("abc"), Err("Parameter 'P' must contain at most 2 characters (line 2)")),
        ("{Type: Number}", Some("1.5"), Ok("1.5".into())),
        ("{Type: Number}", Some("one"), Err("Parameter 'P' must be a number (line 2)")),
        ("{Type: Number, MinValue: 3}", Some("2"), Err("Parameter 'P' must be a number not less than 3 (line 2)")),
        ("{Type: Number, MaxValue: 3}", Some("4"), Err("Parameter 'P' must be a number not greater than 3 (line 2)")),
        ("{Type: List<Number>}", Some("1, 2"), Ok(vec!["1", "2"].into())),
        ("{Type: List<Number>}", Some("1,x"), Err("Parameter 'P' must be a number (line 2)")),
        ("{Type: CommaDelimitedList, Default: ''}", None, Ok(Vec::<String>::new().into())),
    ];
    for (declaration, given, expected) in cases {
        let text = format!("Parameters:\n  P: {declaration}\nResources: {{R: {{Type: T}}}}");
        let template = Template::parse(&text).expect("it is sound");
        let given = given.map(|value| ("P".to_owned(), value.to_owned())).into_iter().collect();
        let got = template.bind(&given);
        let got = got.map(|bound| bound.get("P").expect("it is bound").to_json()).map_err(|error| error.to_string());
        assert_eq!(got, expected.map_err(str::to_owned), "{declaration}");
    }
    let template = Template::parse("Resources: {R: {Type: T}}").expect("it is sound");
    let given = BTreeMap::from([("Q".to_owned(), String::new()), ("A".to_owned(), String::new())]);
    let error = template.bind(&given).expect_err("it has no parameters");
    assert_eq!(error.to_string(), "Parameters: [A, Q] do not exist in the template");
}
