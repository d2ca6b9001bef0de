//! `UpdateFunctionCode`: new code for `$LATEST`, with the settings it has; perhaps published at once, perhaps only tried.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{FunctionConfiguration, UpdateFunctionCode, UpdateFunctionCodeRequest};

use super::input::{self, Package, Unserved};
use super::view::Shown;
use super::{lookup, publish_version};
use crate::Functions;
use crate::model::package;
use crate::name::{Qualifier, Reference, Scope};
use crate::packages::Source;
use crate::store::{Place, Refusal};

impl Handle<UpdateFunctionCode> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &UpdateFunctionCodeRequest) -> Arn {
        Self::arn(call, &input.function_name, None)
    }

    async fn handle(&self, call: &Call, mut input: UpdateFunctionCodeRequest) -> Result<FunctionConfiguration, Fault> {
        let scope = &Scope::of(call);
        let name = &Reference::parse_unqualified(scope, &input.function_name)?;
        input::refuse(&[Unserved {
            member: "PublishTo",
            used: input.publish_to.is_some(),
            instead: "publish numbered versions with Publish.",
        }])?;
        let place = &Place::new(scope, name);
        let current = lookup::function(&self.store.snapshot(), place).await?;
        lookup::check_revision(input.revision_id.as_deref(), &current.latest.revision)?;
        let architecture = input.architectures.as_deref().map(input::architecture).transpose()?;
        let source = Source {
            zip: input.zip_file.take(),
            bucket: input.s3_bucket.take(),
            key: input.s3_key.take(),
            object_version: input.s3_object_version.take(),
            image: input.image_uri.take(),
        };
        let package = Package::of(&current.latest.code);
        input::check_source(package, &source)?;
        let taken = self.take(call, "UpdateFunctionCode", source).await?;
        self.compile_what_is_there(&taken.code, &current.latest.settings).await?;
        self.check_size(&taken.code, &current.latest.settings).await?;
        let publish = input.publish == Some(true);
        let stored = self.table.scope(scope).code_bytes();
        let more = (taken.code.bytes() << u8::from(publish)).saturating_sub(current.latest.code.bytes());
        package::check_storage(stored, more)?;
        let (taken, input) = (&taken, &input);
        let committed = self
            .store
            .transact(|tx| async move {
                let mut function = lookup::function(&tx, place).await?;
                lookup::check_revision(input.revision_id.as_deref(), &function.latest.revision)?;
                let before = function.latest.clone();
                let mut settings = function.latest.settings.clone();
                settings.architecture = architecture.unwrap_or(settings.architecture);
                input::check(&settings, package)?;
                function.update(taken.code.clone(), settings, self.now_ms(), self.random.uuid());
                let number = match publish && input.dry_run != Some(true) {
                    true => Some(publish_version::publish(self, &tx, place, &mut function, None).await?),
                    false => None,
                };
                if input.dry_run != Some(true) {
                    place.put_function(&tx, &self.blobs, Some(&before), &function).await?;
                }
                Ok::<_, Refusal>((function, number))
            })
            .await;
        let (function, published) = self.settle(scope, name, committed).await?;
        Ok(match &published {
            Some((number, version)) => {
                let qualifier = &Qualifier::Version(*number);
                Shown { scope, name, qualifier: Some(qualifier), number: Some(*number), version }.configuration()
            }
            None => Shown { scope, name, qualifier: None, number: None, version: &function.latest }.configuration(),
        })
    }
}
