//! What the bench measures beside whole requests.

use crate::component::Http;
use crate::meter::Ending;
use crate::service::Service;
use crate::settings::Limits;
use crate::single::Instance;

/// Makes an instance and throws it away, as a request of a WASI 0.2 component does whose instances answer one.
pub async fn instantiate(service: &Service, limits: Limits) {
    let (context, program) = service.parts();
    let Http::Single(program) = program else { panic!("only WASI 0.2 has an instance for each request") };
    let (ending, _) = Ending::begin();
    let mut instance = Instance::new(context, program, limits, ending);
    instance.instantiate(program).await.expect("what answers requests can be started");
}
