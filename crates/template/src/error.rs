//! What can be wrong with a template, in CloudFormation's own words. One visible list, so that a text is found where it is looked for.

use std::fmt;

/// A mistake, and the line where a person has to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The line, from 1, where it is known.
    pub line: Option<u32>,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{} (line {line})", self.problem),
            None => write!(f, "{}", self.problem),
        }
    }
}

impl std::error::Error for Error {}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's message is its documentation, and its fields are the message's")]
pub enum Problem {
    // The text.
    #[error("Template may not exceed {bytes_max} bytes in size; this one has {bytes}.")]
    TooLarge { bytes: usize, bytes_max: usize },
    #[error("Template format error: {format} not well-formed. (line {line}, column {column}): {reason}")]
    NotWellFormed { format: &'static str, line: usize, column: usize, reason: String },
    #[error("Template format error: lists and maps lie more than {levels_max} levels deep in each other.")]
    TooDeep { levels_max: usize },
    #[error("Template format error: unsupported structure.")]
    Unsupported,
    #[error("Template validation error: [{path}] 'null' values are not allowed in templates")]
    Null { path: String },

    // Sections.
    #[error("Invalid template property or properties [{}]", .0.join(", "))]
    Properties(Vec<String>),
    #[error("Template format error: {0} is not a supported value for AWSTemplateFormatVersion.")]
    Version(String),
    #[error("Template format error: the section {section} must be a map.")]
    SectionForm { section: String },
    #[error("Template format error: At least one Resources member must be defined.")]
    NoResources,
    #[error("Template format error: Number of {section}, {count}, is greater than maximum allowed, {count_max}")]
    TooMany { section: &'static str, count: usize, count_max: usize },
    #[error("Template format error: {section} name {name} is non alphanumeric.")]
    Name { section: &'static str, name: String },
    #[error("Template format error: [/{section}/{name}] Every {section} object must contain a {member} member.")]
    Member { section: &'static str, name: String, member: &'static str },
    #[error("Invalid template resource property '{0}'")]
    ResourceProperty(String),
    #[error("Template format error: [/Resources/{resource}/{member}] {reason}")]
    ResourceMember { resource: String, member: &'static str, reason: String },
    #[error("Template format error: [/Outputs/{output}] {reason}")]
    OutputMember { output: String, reason: String },
    #[error("Template format error: Output {output} is malformed. {field} must evaluate to a String.")]
    OutputText { output: String, field: &'static str },
    #[error("Template format error: Every Mappings attribute must be a String or a List. ({path})")]
    MappingForm { path: String },
    #[error("No transform named {0} found.")]
    Transform(String),
    #[error("Template format error: the section {0} is not served yet; take it out, or check before deploying.")]
    Unserved(&'static str),
    #[error("Template format error: Globals need `Transform: AWS::Serverless-2016-10-31`.")]
    GlobalsAlone,
    #[error(
        "'Globals' section is invalid. '{section}' is not supported. Must be one of the following values - [{}]",
        crate::sections::GLOBALS.join(", ")
    )]
    GlobalsSection { section: String },

    // Parameters.
    #[error("Template format error: Unrecognized parameter type: {kind} (parameter {name})")]
    ParameterType { name: String, kind: String },
    #[error("Template format error: [/Parameters/{name}/{member}] {reason}")]
    ParameterMember { name: String, member: String, reason: String },
    #[error("Parameters: [{}] must have values", .0.join(", "))]
    ParametersMissing(Vec<String>),
    #[error("Parameters: [{}] do not exist in the template", .0.join(", "))]
    ParametersUnknown(Vec<String>),
    #[error("Parameter '{name}' {requirement}")]
    ParameterValue { name: String, requirement: String },
    #[error("Parameter {name} failed to satisfy constraint: {description}")]
    ParameterConstraint { name: String, description: String },

    // Names that lead nowhere.
    #[error("Template format error: Unresolved resource dependencies [{}] in the {block} block of the template", .names.join(", "))]
    Unresolved { names: Vec<String>, block: &'static str },
    #[error(
        "Template format error: Unresolved dependencies [{}]. Cannot reference resources in the Conditions block of the \
         template", .0.join(", ")
    )]
    UnresolvedInConditions(Vec<String>),
    #[error("Template format error: Unresolved condition dependency {name} in the {block} block of the template")]
    UnresolvedCondition { name: String, block: &'static str },
    #[error("Template error: instance of Fn::GetAtt references undefined resource {0}")]
    UndefinedResource(String),
    #[error("Template error: resource {resource} does not support attribute type {attribute} in Fn::GetAtt")]
    Attribute { resource: String, attribute: String },
    #[error("Circular dependency between resources: [{}]", .0.join(", "))]
    Circle(Vec<String>),
    #[error("Circular dependency between conditions: [{}]", .0.join(", "))]
    ConditionCircle(Vec<String>),
    #[error("No export named {0} found.")]
    Export(String),

    // Functions.
    #[error(
        "Template error: Encountered unsupported function: {function} Supported functions are: [{}]",
        crate::functions::SUPPORTED.join(", ")
    )]
    Function { function: String },
    #[error("Template error: {function} is not served: {reason}")]
    FunctionUnserved { function: String, reason: &'static str },
    #[error(
        "Template error: {function} cannot be used here: it is for the Conditions block and the first argument of Fn::If"
    )]
    FunctionMisplaced { function: String },
    #[error("Template error: every Ref object must have a single String value.")]
    Ref,
    #[error(
        "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute"
    )]
    GetAtt,
    #[error(
        "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be \
         joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined."
    )]
    Join,
    #[error(
        "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a \
         function that returns a string to be split."
    )]
    Split,
    #[error("Template error: Fn::Select requires a list argument with two elements: an integer index and a list")]
    Select,
    #[error("Template error: Fn::Select cannot select nonexistent value at index {index}")]
    SelectIndex { index: String },
    #[error("Template error: every Fn::Base64 object must have a String-typed value.")]
    Base64,
    #[error(
        "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first \
         argument, and an optional second argument to specify a mapping of values to replace in the string"
    )]
    Sub,
    #[error(
        "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and \
         colons"
    )]
    SubName,
    #[error("Template error: variable {name} in Fn::Sub expression does not resolve to a string")]
    SubValue { name: String },
    #[error(
        "Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for \
         return value"
    )]
    FindInMap,
    #[error("Template error: Mapping named '{0}' is not present in the 'Mappings' section of template.")]
    Mapping(String),
    #[error("Template error: Unable to get mapping for {map}::{key}::{attribute}")]
    MappingKey { map: String, key: String, attribute: String },
    #[error("Template error: Fn::If requires a list argument with three elements: a condition's name and two values")]
    If,
    #[error("Template error: every Fn::Equals object requires a list of 2 string parameters.")]
    Equals,
    #[error("Template error: every Fn::Not object requires one boolean parameter.")]
    Not,
    #[error("Template error: every {0} object requires a list of at least 2 and at most 10 boolean parameters.")]
    AndOr(&'static str),
    #[error("Template format error: Condition {0} must be one of Fn::And, Fn::Equals, Fn::Not, Fn::Or and Condition")]
    ConditionForm(String),
    #[error(
        "Template error: every Fn::Cidr object requires a list of an address block, a count from 1 to 256 and optionally the \
             number of subnet bits: {0}"
    )]
    Cidr(String),
    #[error("Template error: every Fn::GetAZs object requires the name of a region as text.")]
    GetAzs,
    #[error("Template error: the attribute in Fn::ImportValue must not depend on any resources, and must be a string.")]
    ImportValue,
    #[error("Template error: every Fn::Length object requires a list.")]
    Length,
    #[error("Template error: every Fn::ToJsonString object requires a map or a list.")]
    ToJsonString,
    #[error("Template error: the functions of this template make more than {bytes_max} bytes")]
    ResultTooLarge { bytes_max: usize },
    #[error("Template error: [{path}] AWS::NoValue leaves nothing here, and something is needed")]
    NoValue { path: String },
}

impl Problem {
    /// With the line where it is; 0 means that nobody knows.
    pub fn at(self, line: u32) -> Error {
        Error { line: (line > 0).then_some(line), problem: self }
    }

    /// Without a line: the message has one, or there is none.
    pub fn nowhere(self) -> Error {
        Error { line: None, problem: self }
    }
}
