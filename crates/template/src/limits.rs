//! How large a template may be. CloudFormation's own numbers where it has any.

/// The longest text that is read: CloudFormation's limit for a template in a bucket.
pub const TEXT_BYTES_MAX: usize = 1_000_000;
/// How deep lists and maps may lie in each other.
pub const DEPTH_MAX: usize = 100;
/// How many values a template may have once its aliases are replaced by what they stand for: a few lines of aliases to aliases
/// would otherwise fill the memory.
pub const NODES_MAX: usize = 200_000;
/// How many bytes the texts of a template may have together once its aliases are replaced, and how many its resources' properties once
/// their functions are: four times what may be written, and what one transaction of the store takes with room to spare.
pub const EXPANDED_BYTES_MAX: usize = 4_000_000;
/// `Resources` of one template.
pub const RESOURCES_MAX: usize = 500;
/// `Parameters` of one template.
pub const PARAMETERS_MAX: usize = 200;
/// `Outputs` of one template.
pub const OUTPUTS_MAX: usize = 200;
/// `Mappings` of one template.
pub const MAPPINGS_MAX: usize = 200;
/// The longest value of a parameter.
pub const PARAMETER_BYTES_MAX: usize = 4096;
/// How many bytes the functions of one resource's properties may make together, on the way.
pub const RESULT_BYTES_MAX: usize = 16_000_000;
