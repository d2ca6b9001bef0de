//! `CreateFunction`: takes the code in, and makes a function of it.
//!
//! Limits: 50 MB of zip in the request, 250 MB unpacked, 75 GB of code in an account and region, 4 KB of environment.

use contract::{Arn, Call, Effect, Fault, Handle};
use wire::lambda::{CreateFunction, CreateFunctionRequest, FunctionConfiguration};

use super::input::{self, Package, Unserved};
use super::view::Shown;
use crate::model::{Function, Recursion, RuntimeUpdate, Version, package, tags};
use crate::name::{Qualifier, Reference, Scope};
use crate::packages::Source;
use crate::store::{Place, Refusal};
use crate::{Functions, faults};

impl Handle<CreateFunction> for Functions {
    const EFFECT: Effect = Effect::Write;

    fn resource(&self, call: &Call, input: &CreateFunctionRequest) -> Arn {
        Self::arn(call, &input.function_name, None)
    }

    async fn handle(&self, call: &Call, mut input: CreateFunctionRequest) -> Result<FunctionConfiguration, Fault> {
        let scope = &Scope::of(call);
        let name = &Reference::parse_unqualified(scope, &input.function_name)?.for_new()?;
        input::refuse(&Unserved::of_create(&input))?;
        let layers = self.layers_of(scope, input.layers.as_deref()).await?;
        let package = input::package_of(&input);
        let settings = input::settings(name, &input, layers)?;
        match package {
            Package::Zip => self.check_language(&settings.runtime).await?,
            Package::Image => {}
        }
        let tags = input.tags.take().unwrap_or_default();
        tags::check(&tags)?;
        let place = &Place::new(scope, name);
        // Looked at before the package is unpacked; the transaction looks again.
        if place.function(&self.store.snapshot()).await.map_err(Refusal::from)?.is_some() {
            return Err(exists(name.as_str()));
        }
        let source = Source {
            zip: input.code.zip_file.take(),
            bucket: input.code.s3_bucket.take(),
            key: input.code.s3_key.take(),
            object_version: input.code.s3_object_version.take(),
            image: input.code.image_uri.take(),
        };
        input::check_source(package, &source)?;
        let taken = self.take(call, "CreateFunction", source).await?;
        self.compile(&taken.code, &settings).await?;
        self.check_size(&taken.code, &settings).await?;
        let publish = input.publish == Some(true);
        package::check_storage(self.table.scope(scope).code_bytes(), taken.code.bytes() << u8::from(publish))?;
        let now_ms = self.now_ms();
        let function = &Function {
            id: self.random.uuid(),
            latest: Version {
                code: taken.code.clone(),
                settings,
                content: 1,
                revision: self.random.uuid(),
                modified_ms: now_ms,
                runtime_update: RuntimeUpdate::Auto,
            },
            version_next: 1,
            tags,
            concurrency_reserved: None,
            recursion: Recursion::Terminate,
        };
        let committed = self
            .store
            .transact(|tx| async move {
                if place.function(&tx).await?.is_some() {
                    return Err(Refusal::from(exists(name.as_str())));
                }
                let mut function = function.clone();
                let published = publish.then(|| function.publish(None, now_ms, self.random.uuid()));
                place.put_function(&tx, &self.blobs, None, &function).await?;
                if let Some((number, version)) = &published {
                    place.put_version(&tx, &self.blobs, *number, version).await?;
                }
                Ok(published)
            })
            .await;
        let published = self.settle(scope, name, committed).await?;
        drop(taken);
        Ok(match &published {
            Some((number, version)) => {
                Shown { scope, name, qualifier: Some(&Qualifier::Version(*number)), number: Some(*number), version }
                    .configuration()
            }
            None => Shown { scope, name, qualifier: None, number: None, version: &function.latest }.configuration(),
        })
    }
}

impl Functions {
    /// Refuses a language that cannot run on this machine, with what to install.
    pub(crate) async fn check_language(&self, runtime: &str) -> Result<(), Fault> {
        let (compute, name) = (self.compute.clone(), runtime.to_owned());
        // Looking for an interpreter blocks when it is the first time.
        match tokio::task::spawn_blocking(move || compute.language(&name)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(faults::invalid(error.to_string())),
            Err(error) => {
                tracing::error!(runtime, %error, "looking for an interpreter failed");
                Err(Fault::internal())
            }
        }
    }
}

fn exists(name: &str) -> Fault {
    faults::conflict(format!("Function already exist: {name}"))
}
