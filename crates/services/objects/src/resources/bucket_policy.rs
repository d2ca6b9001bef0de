//! `AWS::S3::BucketPolicy`: the policy of a bucket. `Ref` is the bucket's name.

use contract::properties::{fault, is_unresolved, known, plain};
use contract::{Attributes, Change, Document, Naming, Operation, PropertyFault, ResourceType, Step};
use serde_json::json;
use wire::s3::{DeleteBucketPolicy, GetBucketPolicy, PutBucketPolicy};

use super::GONE;

/// The type.
#[derive(Debug)]
pub(super) struct BucketPolicy;

impl ResourceType for BucketPolicy {
    fn name(&self) -> &'static str {
        "AWS::S3::BucketPolicy"
    }

    fn check(&self, properties: &Document) -> Result<(), PropertyFault> {
        known(properties, &["Bucket", "PolicyDocument"])?;
        if !properties["PolicyDocument"].is_object() {
            return Err(fault("PolicyDocument", "must be a policy"));
        }
        match plain(&properties["Bucket"]).is_some() || is_unresolved(&properties["Bucket"]) {
            true => Ok(()),
            false => Err(fault("Bucket", "must be a bucket's name")),
        }
    }

    fn physical_id(&self, properties: &Document, _naming: &Naming) -> Option<String> {
        plain(&properties["Bucket"])
    }

    fn create(&self, properties: &Document, _naming: &Naming) -> Result<Vec<Step>, PropertyFault> {
        self.check(properties)?;
        let policy = properties["PolicyDocument"].to_string();
        Ok(vec![Step::new(PutBucketPolicy::ID, json!({ "Bucket": properties["Bucket"], "Policy": policy }))])
    }

    fn update(
        &self,
        physical_id: &str,
        naming: &Naming,
        old: &Document,
        new: &Document,
    ) -> Result<Change, PropertyFault> {
        match plain(&new["Bucket"]).as_deref() == Some(physical_id) {
            false => Ok(Change::Replace),
            true if old == new => Ok(Change::InPlace(Vec::new())),
            true => self.create(new, naming).map(Change::InPlace),
        }
    }

    fn delete(&self, physical_id: &str, _properties: &Document) -> Vec<Step> {
        vec![Step::new(DeleteBucketPolicy::ID, json!({ "Bucket": physical_id })).tolerating(GONE)]
    }

    fn read(&self, physical_id: &str, _properties: &Document) -> Option<Step> {
        Some(Step::new(GetBucketPolicy::ID, json!({ "Bucket": physical_id })))
    }

    fn attributes(&self, physical_id: &str, _properties: &Document, _answer: &Document) -> Attributes {
        Attributes { reference: physical_id.to_owned(), named: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::naming;

    #[test]
    fn a_policy_is_put_changed_and_taken_away() {
        let wanted = json!({ "Bucket": "b", "PolicyDocument": { "Statement": [] } });
        let steps = BucketPolicy.create(&wanted, &naming()).expect("it is made");
        assert_eq!(steps[0].input, json!({ "Bucket": "b", "Policy": r#"{"Statement":[]}"# }));
        assert_eq!(BucketPolicy.update("b", &naming(), &wanted, &wanted), Ok(Change::InPlace(Vec::new())));
        let other = json!({ "Bucket": "c", "PolicyDocument": {} });
        assert_eq!(BucketPolicy.update("b", &naming(), &wanted, &other), Ok(Change::Replace));
        assert_eq!(BucketPolicy.delete("b", &wanted)[0].input, json!({ "Bucket": "b" }));
        for (wrong, path) in [
            (json!({ "Bucket": "b" }), "PolicyDocument"),
            (json!({ "PolicyDocument": {} }), "Bucket"),
            (json!({ "Bucket": "b", "PolicyDocument": {}, "More": 1 }), "More"),
        ] {
            assert_eq!(BucketPolicy.check(&wrong).expect_err("it is refused").path, path);
        }
    }
}
