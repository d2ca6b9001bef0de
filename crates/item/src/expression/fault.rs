//! Why an expression or what belongs to it is refused, in DynamoDB's own words. All of them are `ValidationException`s.
//!
//! UpdateItem, PutItem and DeleteItem put `1 validation error detected: ` before some of them in some regions; nothing here does.

use std::fmt;

use crate::packed::Damaged;
use crate::{Kind, Refusal};

/// Which parameter an expression came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Clause {
    /// What must hold for a write.
    Condition,
    /// What must hold for an item to be in the answer.
    Filter,
    /// Which items are read at all.
    KeyCondition,
    /// What becomes of an item.
    Update,
    /// What of an item is wanted.
    Projection,
}

impl Clause {
    /// The parameter's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Condition => "ConditionExpression",
            Self::Filter => "FilterExpression",
            Self::KeyCondition => "KeyConditionExpression",
            Self::Update => "UpdateExpression",
            Self::Projection => "ProjectionExpression",
        }
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a request's expressions, or their legacy forms, are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// An expression is wrong in itself.
    #[error("Invalid {clause}: {why}")]
    Expression {
        /// Which.
        clause: Clause,
        /// Why.
        why: Why,
    },
    /// A value is none.
    #[error(transparent)]
    Value(#[from] Refusal),
    /// `ExpressionAttributeNames` or `…Values` is there and empty.
    #[error("{0} must not be empty")]
    PlaceholdersEmpty(&'static str),
    /// A placeholder is not written as one.
    #[error("{parameter} contains invalid key: Syntax error; key: \"{key}\"")]
    PlaceholderSyntax {
        /// `ExpressionAttributeNames` or `…Values`.
        parameter: &'static str,
        /// The placeholder.
        key: String,
    },
    /// A placeholder is too long.
    #[error(
        "{parameter} contains invalid key: The expression attribute map contains a key that is too long; size of key: {bytes}"
    )]
    PlaceholderTooLong {
        /// `ExpressionAttributeNames` or `…Values`.
        parameter: &'static str,
        /// How long it is.
        bytes: usize,
    },
    /// A placeholder stands for no name.
    #[error("ExpressionAttributeNames contains invalid value: Empty attribute name for key {key}")]
    NameEmpty {
        /// The placeholder.
        key: String,
    },
    /// A placeholder stands for a name that is too long.
    #[error(
        "ExpressionAttributeNames contains invalid value: Attribute name is too large, must be less than 65536 bytes for key {key}"
    )]
    NameTooLong {
        /// The placeholder.
        key: String,
    },
    /// The values of one request are too large together.
    #[error("ExpressionAttributeValues exceeds the maximum allowed size of {limit} bytes; size: {bytes}")]
    ValuesTooLarge {
        /// Their size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A placeholder that no expression uses.
    #[error("Value provided in {parameter} unused in expressions: keys: {{{keys}}}")]
    Unused {
        /// `ExpressionAttributeNames` or `…Values`.
        parameter: &'static str,
        /// The placeholders.
        keys: String,
    },
    /// Placeholders without any expression.
    #[error("{0} can only be specified when using expressions")]
    NoExpression(&'static str),
    /// Parameters of both worlds.
    #[error(
        "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {{{legacy}}} \
         Expression parameters: {{{expressions}}}"
    )]
    BothWorlds {
        /// The old ones.
        legacy: String,
        /// The new ones.
        expressions: String,
    },
    /// A key condition that keys cannot answer.
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// A path that looks into a key.
    #[error("Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: {0}")]
    InsideKey(String),
    /// The same, of the key of an index.
    #[error(
        "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: IndexKey: {0}"
    )]
    InsideIndexKey(String),
    /// A filter over the key.
    #[error("{parameter} can only contain non-primary key attributes: Primary key attribute: {attribute}")]
    FilterOnKey {
        /// `Filter Expression` or `QueryFilter`.
        parameter: &'static str,
        /// The part of the key.
        attribute: String,
    },
    /// An update of the key.
    #[error(
        "One or more parameter values were invalid: Cannot update attribute {0}. This attribute is part of the key"
    )]
    KeyUpdate(String),
    /// An update meets a value of another type.
    #[error("An operand in the update expression has an incorrect data type")]
    OperandType,
    /// The same, of `AttributeUpdates`.
    #[error("Type mismatch for attribute to update")]
    LegacyType,
    /// An update reads what is not there.
    #[error("The provided expression refers to an attribute that does not exist in the item")]
    NoAttribute,
    /// An update writes where nothing can be.
    #[error("The document path provided in the update expression is invalid for update")]
    NoPlace,
    /// A legacy parameter is wrong.
    #[error("One or more parameter values were invalid: {0}")]
    Legacy(LegacyFault),
    /// `ConditionalOperator` without conditions.
    #[error("ConditionalOperator cannot be used without Filter or Expected")]
    OperatorAlone,
    /// The same, with one condition.
    #[error("ConditionalOperator can only be used when Filter or Expected has two or more elements")]
    OperatorForOne,
    /// The lower bound is above the upper one.
    #[error("The BETWEEN condition was provided a range where the lower bound is greater than the upper bound")]
    LegacyBounds,
    /// Stored bytes are damaged: not the caller's doing.
    #[error("{0}")]
    Damaged(#[from] Damaged),
}

/// Why an expression is wrong in itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Nothing there.
    #[error("The expression can not be empty;")]
    Empty,
    /// Too long.
    #[error("Expression size has exceeded the maximum allowed size; expression size: {0}")]
    TooLong(usize),
    /// Too many operators and functions.
    #[error("The expression contains too many operators; operator count: {0}")]
    TooManyOperators(usize),
    /// Functions in functions in functions.
    #[error("The expression has operands that are nested too deeply; nesting levels: {0}")]
    TooDeep(usize),
    /// Not the language.
    #[error("Syntax error; token: \"{token}\", near: \"{near}\"")]
    Syntax {
        /// What stands where something else belongs.
        token: String,
        /// It, with what is before and behind it.
        near: String,
    },
    /// Two pairs of parentheses round the same.
    #[error("The expression has redundant parentheses;")]
    Parentheses,
    /// A reserved word as a name.
    #[error("Attribute name is a reserved keyword; reserved keyword: {0}")]
    Reserved(String),
    /// A list's index beyond all lists.
    #[error("List index is not within the allowable range; index: [{0}]")]
    IndexRange(String),
    /// No such function.
    #[error("Invalid function name; function: {0}")]
    NoFunction(String),
    /// A function of conditions in an update.
    #[error("The function is not allowed in an update expression; function: {0}")]
    NotInUpdate(&'static str),
    /// A function of updates in a condition.
    #[error("The function is not allowed in a condition expression; function: {0}")]
    NotInCondition(&'static str),
    /// A condition as an operand, or the other way round.
    #[error("The function is not allowed to be used this way in an expression; function: {0}")]
    Misused(&'static str),
    /// Too many or too few operands.
    #[error(
        "Incorrect number of operands for operator or function; operator or function: {function}, number of operands: {operands}"
    )]
    Operands {
        /// Of what.
        function: &'static str,
        /// How many.
        operands: usize,
    },
    /// A section twice.
    #[error("The \"{0}\" section can only be used once in an update expression;")]
    SectionTwice(&'static str),
    /// A name's placeholder that stands for nothing.
    #[error("An expression attribute name used in the document path is not defined; attribute name: {0}")]
    NoName(String),
    /// A value's placeholder that stands for nothing.
    #[error("An expression attribute value used in expression is not defined; attribute value: {0}")]
    NoValue(String),
    /// A path that is too deep.
    #[error("The document path has too many nesting levels; nesting levels: {0}")]
    PathTooDeep(usize),
    /// The same place twice, or one inside the other.
    #[error(
        "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: {one}, path two: {two}"
    )]
    Overlap {
        /// The first.
        one: String,
        /// The second.
        two: String,
    },
    /// The same place as a list and as a map.
    #[error(
        "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: {one}, path two: {two}"
    )]
    Conflict {
        /// The first.
        one: String,
        /// The second.
        two: String,
    },
    /// A function that needs a path.
    #[error("Operator or function requires a document path; operator or function: {0}")]
    NeedsPath(&'static str),
    /// The same place compared with itself.
    #[error(
        "The first operand must be distinct from the remaining operands for this operator or function; operator: {operator}, \
         first operand: {path}"
    )]
    NotDistinct {
        /// By what.
        operator: &'static str,
        /// The place.
        path: String,
    },
    /// An operand of a type that makes no sense there.
    #[error("Incorrect operand type for operator or function; operator or function: {operator}, operand type: {kind}")]
    Type {
        /// Where.
        operator: &'static str,
        /// The type, or the set of all types where it is not known.
        kind: String,
    },
    /// A value that ADD or DELETE cannot work with.
    #[error(
        "Incorrect operand type for operator or function; operator: {section}, operand type: {kind}, typeSet: \
         ALLOWED_FOR_{section}_OPERAND"
    )]
    SectionType {
        /// `ADD` or `DELETE`.
        section: &'static str,
        /// The type, in words.
        kind: &'static str,
    },
    /// `attribute_type` of something that is no type.
    #[error("Invalid attribute type name found; type: {0}, valid types: {{N,BS,L,B,NULL,M,S,SS,NS,BOOL}}")]
    NoType(String),
    /// Bounds of different types.
    #[error(
        "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {low}, \
         upper bound operand: AttributeValue: {high}"
    )]
    BoundTypes {
        /// The lower.
        low: String,
        /// The upper.
        high: String,
    },
    /// The lower bound above the upper one.
    #[error(
        "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: \
         AttributeValue: {low}, upper bound operand: AttributeValue: {high}"
    )]
    Bounds {
        /// The lower.
        low: String,
        /// The upper.
        high: String,
    },
    /// Too many values to look among.
    #[error("The IN operator is provided with too many operands; number of operands: {0}")]
    TooManyIn(usize),
    /// Two conditions on one key.
    #[error("KeyConditionExpressions must only contain one condition per key")]
    KeyTwice,
    /// A condition on what is inside an attribute.
    #[error("KeyConditionExpressions cannot have conditions on nested attributes")]
    KeyNested,
    /// A function inside a condition on a key.
    #[error("KeyConditionExpressions cannot contain nested operations")]
    KeyOperation,
}

impl Why {
    pub(super) fn of(self, clause: Clause) -> Invalid {
        Invalid::Expression { clause, why: self }
    }

    pub(super) fn kind(operator: &'static str, kind: Kind) -> Self {
        Self::Type { operator, kind: kind.to_string() }
    }
}

/// Why a key condition is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// What keys cannot be asked.
    #[error("Invalid operator used in KeyConditionExpression: {0}")]
    Operator(&'static str),
    /// A condition that names no attribute.
    #[error("Invalid condition in KeyConditionExpression: No key attribute specified")]
    NoAttribute,
    /// A condition that names two.
    #[error("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition")]
    ManyAttributes,
    /// The attribute is not the first operand.
    #[error(
        "Invalid condition in KeyConditionExpression: {0} operator must have the key attribute as its first operand"
    )]
    NotFirst(&'static str),
    /// More conditions than the key has attributes.
    #[error(
        "The number of query conditions ({conditions}) exceeds the number of key attributes defined in the schema ({attributes})"
    )]
    TooMany {
        /// How many.
        conditions: usize,
        /// How many there may be.
        attributes: usize,
    },
    /// No condition on an attribute of the key.
    #[error("Query condition missed key schema element: {0}")]
    Missed(String),
    /// The partition is not asked for by equality, or the sort key by something without order.
    #[error("Query key condition not supported")]
    Unsupported,
    /// A value of another type than the key's.
    #[error("One or more parameter values were invalid: Condition parameter type does not match schema type")]
    Type,
    /// An empty value.
    #[error(
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty {what} value. \
         Key: {key}"
    )]
    Empty {
        /// `string` or `binary`.
        what: &'static str,
        /// The attribute.
        key: String,
    },
    /// A legacy comparison that keys cannot be asked.
    #[error("Attempted conditional constraint is not an indexable operation")]
    NotIndexable,
}

/// What is wrong with a legacy parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LegacyFault {
    /// `Value` and `AttributeValueList`.
    #[error("Value and AttributeValueList cannot be used together for Attribute: {0}")]
    ValueAndList(String),
    /// `Exists` and `ComparisonOperator`.
    #[error("Exists and ComparisonOperator cannot be used together for Attribute: {0}")]
    ExistsAndOperator(String),
    /// A comparison with nothing.
    #[error("Value or AttributeValueList must be used with ComparisonOperator: {operator} for Attribute: {attribute}")]
    NoValue {
        /// The comparison.
        operator: &'static str,
        /// The attribute.
        attribute: String,
    },
    /// Too many or too few values.
    #[error("Invalid number of argument(s) for the {0} ComparisonOperator")]
    Arguments(&'static str),
    /// Values of different types.
    #[error("AttributeValues inside AttributeValueList must be of same type")]
    MixedTypes,
    /// A comparison that such values have not.
    #[error("ComparisonOperator {operator} is not valid for {kind} AttributeValue type")]
    OperatorType {
        /// The comparison.
        operator: &'static str,
        /// The type.
        kind: Kind,
    },
    /// A list without a comparison.
    #[error("AttributeValueList can only be used with a ComparisonOperator for Attribute: {0}")]
    ListWithoutOperator(String),
    /// What exists has a value.
    #[error("Value must be provided when Exists is {exists} for Attribute: {attribute}")]
    ValueMissing {
        /// `null` or `true`.
        exists: &'static str,
        /// The attribute.
        attribute: String,
    },
    /// What does not exist has none.
    #[error("Value cannot be used when Exists is false for Attribute: {0}")]
    ValueOfNothing(String),
    /// Only what is deleted needs no value.
    #[error("Only DELETE action is allowed when no attribute value is specified")]
    ValueNeeded,
    /// A value that DELETE cannot take out.
    #[error("DELETE action with value is not supported for the type {0}")]
    DeleteType(Kind),
    /// A value that ADD cannot add.
    #[error("ADD action is not supported for the type {0}")]
    AddType(Kind),
    /// The same attribute twice.
    #[error("Duplicate value in attribute name: {0}")]
    AttributeTwice(String),
}
