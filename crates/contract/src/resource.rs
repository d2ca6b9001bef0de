//! How a template's resource becomes operations. A resource type lies beside the service that it belongs to
//! (`services/NAME/resources.rs`); the engine (`services/stacks`) knows none of them by name.
//!
//! A type is a map and does no work: from wanted properties (all references already resolved) to the operations that make
//! them true, which the engine then calls, as anybody could.

use serde_json::Value;

use crate::OperationId;

/// Free JSON: properties and operations' inputs.
pub type Document = Value;

/// One call that the engine makes, in order; a fault stops the list and rolls back.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What to call.
    pub operation: OperationId,
    /// With what.
    pub input: Document,
    /// Faults that mean that the wanted state holds already, such as `ResourceNotFoundException` on delete.
    pub tolerate: &'static [&'static str],
}

impl Step {
    /// A step that tolerates no fault.
    pub fn new(operation: OperationId, input: Document) -> Self {
        Self { operation, input, tolerate: &[] }
    }

    /// The same, with faults that count as success.
    #[must_use]
    pub fn tolerating(mut self, codes: &'static [&'static str]) -> Self {
        self.tolerate = codes;
        self
    }
}

/// What a change of properties means.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// These steps change the resource where it is; none at all is fine.
    InPlace(Vec<Step>),
    /// It must be made anew (under a new physical id), and the old one deleted once nothing needs it.
    Replace,
}

/// A property that is missing, unknown or of the wrong form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyFault {
    /// Where, such as `Code.ZipFile`.
    pub path: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// Names for what a template leaves unnamed.
#[derive(Clone, Debug)]
pub struct Naming {
    /// The stack's name.
    pub stack: String,
    /// The resource's logical id.
    pub logical_id: String,
    /// Random letters and digits, kept for the resource's life: a retried create makes the same name.
    pub suffix: String,
    /// The region that the stack is in.
    pub region: String,
    /// The account's twelve digits.
    pub account: String,
}

impl Naming {
    /// `STACK-LOGICALID-SUFFIX`, cut to `length_max` from the left part, as CloudFormation does.
    pub fn physical(&self, length_max: usize) -> String {
        let tail = format!("-{}", self.suffix);
        let mut head = format!("{}-{}", self.stack, self.logical_id);
        head.truncate(length_max.saturating_sub(tail.len()));
        head + &tail
    }
}

/// What `Ref` and `Fn::GetAtt` give.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes {
    /// `Ref`'s answer: the physical id in most types.
    pub reference: String,
    /// `GetAtt`'s answers by name.
    pub named: Vec<(&'static str, Document)>,
}

/// One CloudFormation resource type.
pub trait ResourceType: Send + Sync + 'static {
    /// Such as `AWS::Lambda::Function`.
    fn name(&self) -> &'static str;

    /// Checks the properties before anything of the stack is made: unknown names, missing ones, wrong forms.
    fn check(&self, properties: &Document) -> Result<(), PropertyFault>;

    /// The physical id that the resource will have where it can be known beforehand (a named function). `None`: the
    /// answer of the create steps tells, see [`ResourceType::identify`]. Known is better: before the engine makes something under
    /// an id that does not come from `naming.suffix`, it [reads](ResourceType::read) whether somebody else has it; and after a
    /// crash it knows what to delete.
    fn physical_id(&self, properties: &Document, naming: &Naming) -> Option<String>;

    /// The steps that make it.
    fn create(&self, properties: &Document, naming: &Naming) -> Result<Vec<Step>, PropertyFault>;

    /// The physical id, from the answers of the create steps; only asked where it was not known beforehand. The engine repeats a
    /// step whose answer a crash swallowed, so the create steps of such a type, given the same naming, must make nothing twice and
    /// answer the same again: let `naming.suffix` be their client token.
    fn identify(&self, answers: &[Document]) -> Option<String> {
        let _ = answers;
        None
    }

    /// Steps that need the physical id, run when the create steps are done. All of them are run again where a crash came between, so
    /// that each must be good twice.
    fn complete(&self, physical_id: &str, properties: &Document) -> Vec<Step> {
        let _ = (physical_id, properties);
        Vec::new()
    }

    /// What it takes to come from `old` to `new`. `naming` is the one of the create, for steps that want an ARN.
    fn update(
        &self,
        physical_id: &str,
        naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault>;

    /// The steps that delete it. They also tell one real thing from another: two that are deleted by the same steps are taken to be one.
    fn delete(&self, physical_id: &str, properties: &Document) -> Vec<Step>;

    /// The read that tells whether it is ready and what its attributes are. `None`: ready at once, and
    /// [`ResourceType::attributes`] is given `null`.
    fn read(&self, physical_id: &str, properties: &Document) -> Option<Step>;

    /// A further read of something that comes about by and by, such as instances that start; asked when what [`ResourceType::read`]
    /// answered is settled and all steps are done, and judged by [`ResourceType::settled`] as well.
    fn awaits(&self, physical_id: &str, properties: &Document) -> Option<Step> {
        let _ = (physical_id, properties);
        None
    }

    /// Whether what `read` answered is settled: `Ok(false)` means ask again, `Err` that it failed for good.
    fn settled(&self, answer: &Document) -> Result<bool, String> {
        let _ = answer;
        Ok(true)
    }

    /// `Ref` and `GetAtt`, from what `read` answered. The names are the same whatever that was: the engine asks with `null` before
    /// anything is made, to tell whether a template refers to attributes that there are.
    fn attributes(&self, physical_id: &str, properties: &Document, answer: &Document) -> Attributes;

    /// Those of its attributes that are addresses below the node's own, which begins as `base_url` does and is nobody's to tell but the
    /// engine's: in place of what [`ResourceType::attributes`] says of them.
    fn addresses(&self, physical_id: &str, base_url: &str) -> Vec<(&'static str, Document)> {
        let _ = (physical_id, base_url);
        Vec::new()
    }
}

/// A resource type that stands for several others, such as `AWS::Serverless::Function`. It lies beside the service that it
/// belongs to, as a [`ResourceType`] does, and is as pure: a map from one resource to the resources that it means.
///
/// When it is asked, parameters, conditions, mappings and `AWS::NoValue` are resolved and the template's `Globals` are merged
/// in; what remains are functions that name other resources (`{"Ref": "Table"}`, `{"Fn::GetAtt": ["Role", "Arn"]}`,
/// `{"Fn::Join": …}` over such), which it copies to where they belong without looking inside.
pub trait ResourceMacro: Send + Sync + 'static {
    /// Such as `AWS::Serverless::Function`.
    fn name(&self) -> &'static str;

    /// The part of the template's `Globals` that gives defaults to its properties, such as `Function`.
    fn globals(&self) -> Option<&'static str> {
        None
    }

    /// What the resource means. `resource` is the whole document: `Type`, `Properties`, and `DependsOn`, `DeletionPolicy`,
    /// `Metadata` and so on where the template has them. The engine passes those on to every resource of the expansion that
    /// does not set its own.
    fn expand(&self, logical_id: &str, resource: &Document) -> Result<Expansion, PropertyFault>;
}

/// The resources that one resource of a template stands for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expansion {
    /// Logical ids and documents (`Type`, `Properties`, …). One of them usually keeps the logical id of the resource that it
    /// came from, so that `Ref` and `GetAtt` of that name find it; the others have names made from it, such as `NAMERole`.
    /// Two expansions may name the same resource if their documents are equal: it is made once.
    pub resources: Vec<(String, Document)>,
    /// Further names that a template may use in `Ref` and `GetAtt`, and the logical ids that they stand for, such as
    /// (`NAME.Alias`, `NAMEAliaslive`).
    pub names: Vec<(String, String)>,
    /// What is written into other resources of the template.
    pub extensions: Vec<Extension>,
}

/// A line that an expansion writes into a list of another resource's properties: whom a bucket tells, for one, is the bucket's to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Extension {
    /// The other resource's logical id. Nothing is written if its condition does not hold.
    pub resource: String,
    /// The type that it must have, such as `AWS::S3::Bucket`.
    pub kind: &'static str,
    /// Where the list is: the names of properties, each within the one before. What is missing is made.
    pub path: &'static [&'static str],
    /// What is put behind what the list has.
    pub item: Document,
    /// A logical id that the other resource is made after, beside those that `item` refers to.
    pub after: String,
    /// The property of the resource that is expanded which asks for it, for messages.
    pub asked_by: String,
}
