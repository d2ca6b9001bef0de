//! A node with this service alone.

use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Random, task::Tasks};
use bytes::Bytes;
use compute::{Compute, LogBatch, LogSink};
use contract::{AccountId, Arn, Call, Cause, Effect, Fault, Handle, Operation, Origin, Principal, Region, Trace};
use dispatch::{Dispatch, Limits, Metrics, OpenAuthority, Parts, Registry};
use futures_util::future::BoxFuture;
use store::{Blobs, Store};
use wire::{Payload, lambda as op, s3};

use crate::model::package::tests::zip_of;
use crate::name::Scope;
use crate::{Deps, Functions};

pub(super) const ROLE: &str = "arn:aws:iam::000000000000:role/any";

pub(super) struct World {
    pub(super) functions: Arc<Functions>,
    pub(super) dispatch: Dispatch,
    pub(super) clock: Clock,
    pub(super) random: Random,
    _folder: tempfile::TempDir,
}

struct Silence;

impl LogSink for Silence {
    fn write(&self, _batches: Vec<LogBatch>) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// Stands for S3: the bucket `mine` has one package, of two versions, that comes in pieces.
struct Shelf;

impl Handle<s3::GetObject> for Shelf {
    const EFFECT: Effect = Effect::Read;

    fn resource(&self, call: &Call, input: &s3::GetObjectRequest) -> Arn {
        Arn::new("s3", &call.region, call.account, format!("{}/{}", input.bucket, input.key))
    }

    async fn handle(&self, _call: &Call, input: s3::GetObjectRequest) -> Result<s3::GetObjectOutput, Fault> {
        let package = match (input.bucket.as_str(), input.key.as_str(), input.version_id.as_deref()) {
            ("mine", "code.zip", None) => package("exit 2"),
            ("mine", "code.zip", Some("old")) => package("exit 1"),
            ("mine", ..) => return Err(Fault::new(Cause::NotFound, "NoSuchKey", "The specified key does not exist.")),
            _ => return Err(Fault::new(Cause::NotFound, "NoSuchBucket", "The specified bucket does not exist")),
        };
        let bytes = package.len() as u64;
        let pieces: Vec<_> = package.chunks(100).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let body = Payload::stream(Box::pin(futures_util::stream::iter(pieces)), Some(bytes));
        Ok(s3::GetObjectOutput { body: Some(body), ..Default::default() })
    }
}

impl World {
    pub(super) async fn new() -> Self {
        let clock = Clock::system();
        Self::over(Store::memory(clock.clone()), Blobs::memory(clock)).await
    }

    /// Over what another one has left behind, with a fresh folder for compute, as after the machine was booted.
    pub(super) async fn over(store: Store, blobs: Blobs) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (clock, random) = (Clock::system(), Random::system());
        let mut options = compute::Options::new(folder.path().join("compute"), Arc::new(Silence));
        options.sandbox = sandbox::Mode::Off;
        let mut registry = Registry::new(Parts {
            clock: clock.clone(),
            random: random.clone(),
            tasks: Tasks::new(),
            metrics: Metrics::new(),
            authority: Arc::new(OpenAuthority),
            limits: Limits::default(),
        });
        registry.add::<s3::GetObject, _>(&Arc::new(Shelf));
        let deps = Deps {
            store,
            blobs,
            compute: Compute::new(options).expect("compute starts"),
            clock: clock.clone(),
            random: random.clone(),
            credentials: Arc::new(|session| {
                Box::pin(async move {
                    Ok(compute::Credentials {
                        access_key_id: format!("ASIA-{}", session.session),
                        secret_access_key: "secret".into(),
                        session_token: session.role,
                    })
                })
            }),
            dispatch: registry.dispatch(),
            images: compute::Reach::Everywhere,
            live: vec![folder.path().join("live")],
        };
        let functions = Functions::open(deps).await.expect("it opens");
        crate::register(&mut registry, &functions);
        Self { functions, dispatch: registry.open(), clock, random, _folder: folder }
    }

    pub(super) fn call(&self) -> Call {
        Call {
            id: self.random.uuid(),
            principal: Principal::Open { access_key: None },
            account: AccountId::ONLY,
            region: Region::default_one(),
            deadline: self.clock.elapsed() + Duration::from_secs(120),
            trace: Trace::start(&self.clock, &self.random),
            hops: 0,
            origin: Origin::Inside { part: "test", base_url: "http://localhost:4566".into() },
        }
    }

    /// Where its functions are.
    pub(super) fn scope(&self) -> Scope {
        Scope { account: AccountId::ONLY, region: Region::default_one() }
    }

    pub(super) async fn ask<Op>(&self, input: Op::Input) -> Result<Op::Output, Fault>
    where
        Op: Operation,
        Op::Input: wire::StaticShape,
    {
        self.dispatch.call::<Op>(&self.call(), input).await
    }

    /// The code and message of the refusal.
    pub(super) async fn refusal<Op>(&self, input: Op::Input) -> (String, String)
    where
        Op: Operation,
        Op::Input: wire::StaticShape,
        Op::Output: std::fmt::Debug,
    {
        let fault = self.ask::<Op>(input).await.expect_err("it is refused");
        (fault.code, fault.message)
    }

    /// Makes a function that needs no interpreter.
    pub(super) async fn create(&self, name: &str) -> op::FunctionConfiguration {
        self.ask::<op::CreateFunction>(creation(name)).await.expect("it is made")
    }

    pub(super) async fn configuration(&self, name: &str) -> Result<op::FunctionConfiguration, Fault> {
        self.ask::<op::GetFunctionConfiguration>(op::GetFunctionConfigurationRequest {
            function_name: name.into(),
            qualifier: None,
        })
        .await
    }

    pub(super) async fn publish(&self, name: &str) -> op::FunctionConfiguration {
        let input = op::PublishVersionRequest { function_name: name.into(), ..Default::default() };
        self.ask::<op::PublishVersion>(input).await.expect("it is published")
    }

    /// New code for `$LATEST`, different for each text.
    pub(super) async fn change_code(&self, name: &str, text: &str) -> op::FunctionConfiguration {
        let input = op::UpdateFunctionCodeRequest {
            function_name: name.into(),
            zip_file: Some(package(text)),
            ..Default::default()
        };
        self.ask::<op::UpdateFunctionCode>(input).await.expect("it is updated")
    }
}

/// A package whose `bootstrap` is this text.
pub(super) fn package(text: &str) -> Bytes {
    zip_of(&[("bootstrap", format!("#!/bin/sh\n{text}\n").as_bytes())]).into()
}

/// The request for a function that needs no interpreter.
pub(super) fn creation(name: &str) -> op::CreateFunctionRequest {
    op::CreateFunctionRequest {
        function_name: name.into(),
        role: ROLE.into(),
        runtime: Some("provided.al2023".into()),
        handler: Some("bootstrap".into()),
        code: op::FunctionCode { zip_file: Some(package("exit 1")), ..Default::default() },
        ..Default::default()
    }
}

pub(super) fn arn(rest: &str) -> String {
    format!("arn:aws:lambda:us-east-1:000000000000:function:{rest}")
}
